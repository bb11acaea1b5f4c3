"""What is installed is what is in the repository, with the versions it was tested with."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import visionllm


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling", reason="the wheel is built by hatchling, which the extra `test` installs")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, check=True, cwd=repository, capture_output=True)
    (file,) = folder.glob("visionllm_v2-*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: zipfile.ZipFile, repository: Path):
    files = [f for f in (repository / "src/visionllm").rglob("*") if f.is_file() and ".ruff_cache" not in f.parts]
    ours = {f.relative_to(repository / "src").as_posix() for f in files if "cache" not in f.parent.name}
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == ours
    assert "visionllm/py.typed" in held


def test_the_wheel_says_its_version_and_brings_the_command(wheel: zipfile.ZipFile):
    (metadata,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    assert f"Name: visionllm-v2\nVersion: {visionllm.__version__}\n" in wheel.read(metadata).decode()
    entries = wheel.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    assert "visionllm = visionllm.cli:main" in entries
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in wheel.namelist()}


def test_the_constraints_fit_every_requirement(project: dict[str, Any], repository: Path):
    """A constraint is one version, or two ends of which at least one fits."""
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = {canonicalize_name(r.name): r.specifier for r in map(Requirement, lines)}
    extras = [r for listed in project["optional-dependencies"].values() for r in listed]
    wanted = [Requirement(r) for r in [*project["dependencies"], *extras]]
    others = [r for r in wanted if r.name != project["name"]]
    versions = {name: [one.version for one in specifier] for name, specifier in constraints.items()}
    assert not [str(r) for r in others if not any(r.specifier.filter(versions.get(canonicalize_name(r.name), [])))]


def test_the_constraints_hold_no_torchvision(repository: Path):
    assert "torchvision" not in (repository / "constraints.txt").read_text(encoding="utf-8").lower()
