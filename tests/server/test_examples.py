"""The examples of docs/serving.md run as they stand, against the embedded model; and what deploy/ promises."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.server.helpers import CARD, Live, live
from tests.server.stub import StubEngine
from tests.test_readme import Block, blocks_of
from visionllm.engine import Engine
from visionllm.predictor import VisionLLM
from visionllm.server import ModelCard, card_of

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = blocks_of((ROOT / "docs/serving.md").read_text(encoding="utf-8"))
PLAYWRIGHT = find_spec("playwright")
NODE = shutil.which("node") or (
    PLAYWRIGHT and shutil.which("node", path=Path(str(PLAYWRIGHT.origin)).parent / "driver")
)
"""Playwright, which drives the browser in the tests of the page, brings one of its own."""


def examples(language: str) -> list[Block]:
    """Return the blocks that need a server."""
    return [block for block in BLOCKS if block.language == language and "visionllm serve" not in block.code]


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    model = VisionLLM.load("tiny", device="cpu")
    with live(Engine(model).start(), card=card_of(model, "tiny")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def run(command: list[str], running: Live, folder: Path) -> str:
    *program, code = command
    code = code.replace("http://127.0.0.1:8000", running.url)
    paths = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(
        [*program, code], check=False, cwd=folder, env=os.environ | paths, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert '"error"' not in done.stdout
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_examples_run(server, folder):
    (block,) = examples("bash")
    said = run(["bash", "-euo", "pipefail", "-c", block.code], server, folder)
    assert '"id":"tiny"' in said and '"results":[{"type":"detections"' in said and '"annotations":[{' in said


def test_the_python_example_runs_with_openais_own_client(server, folder):
    said = run([sys.executable, "-c", examples("python")[0].code], server, folder)
    assert "red star 0." in said


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_javascript_example_runs(server, folder):
    (block,) = examples("javascript")
    said = run([NODE or "node", "--input-type=module", "--eval", block.code], server, folder)
    assert "red star 0." in said and "found 2" in said


def test_the_pictures_example_runs_with_openais_own_client(folder):
    card = ModelCard(name="tiny", context=CARD.context)
    with live(StubEngine(), card=card) as running:
        run([sys.executable, "-c", examples("python")[1].code], running, folder)
        assert [job.image is None for job in running.engine.jobs] == [True, False]
    assert {"stars.png", "blue.png"} <= {file.name for file in folder.iterdir()}


def test_every_code_of_the_server_is_in_the_docs():
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src/visionllm/server").rglob("*.py"))
    codes = set(re.findall(r'code="(\w+)"', sources)) - {"cancelled", "login"}  # nobody reads it; a browser is sent on
    assert not [code for code in sorted(codes) if f"`{code}`" not in page]


def test_the_container_runs_without_rights_and_is_checked():
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert "USER 10001:10001" in text and "HEALTHCHECK" in text and "--api-key-file" in text
    service = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))["services"]["visionllm"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_unit_runs_without_rights_and_starts_again_after_a_failure():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] – as its documentation says
    unit.read(ROOT / "deploy/visionllm.service")
    service = unit["Service"]
    assert (service["DynamicUser"], service["ProtectSystem"], service["Restart"]) == ("yes", "strict", "on-failure")
    assert "--api-key-file ${CREDENTIALS_DIRECTORY}/keys" in service["ExecStart"]
