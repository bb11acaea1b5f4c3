"""The README and the docs tell the truth: their blocks are run, their outputs compared, their links followed."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import filemap

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples/README.md",
]
LANGUAGES = ("bash", "python", "console")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: The first word after the fence.
        tag: What follows it: `run`, `norun="reason"` or `output`.
        code: What stands in the block.
        line: Where it starts.
    """

    language: str
    tag: str
    code: str
    line: int


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order.

    >>> blocks_of("```bash run\\nls\\n```")
    [Block(language='bash', tag='run', code='ls', line=1)]
    """
    pattern = re.compile(r"^```(\w+)[ ]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(m[1], m[2].strip(), m[3].rstrip("\n"), page[: m.start()].count("\n") + 1) for m in pattern.finditer(page)
    ]


def run(block: Block, folder: Path) -> str:
    """Run a block in a folder and return what it printed; a failure shows the block and its errors."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    env = os.environ | {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}
    command += [block.code]
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.fail(f"line {block.line} exits with {done.returncode}:\n{block.code}\n{done.stdout}\n{done.stderr}")
    return done.stdout


each_page = pytest.mark.parametrize("page", [pytest.param(p, id=p.relative_to(ROOT).as_posix()) for p in PAGES])


@each_page
def test_every_block_is_run_or_says_why_not(page: Path):
    blocks = [b for b in blocks_of(page.read_text(encoding="utf-8")) if b.language in LANGUAGES]
    silent = [b for b in blocks if b.tag != "run" and not re.fullmatch(r'norun="[^"]{5,}"', b.tag)]
    assert not silent, [f'{page.name}:{b.line} is neither `run` nor `norun="reason"`' for b in silent]


@each_page
def test_the_blocks_of_a_page_run_and_print_what_it_says(page: Path, tmp_path: Path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    printed = ""
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.tag == "run":
            printed = run(block, tmp_path)
        elif block.tag == "output":
            assert printed.split() == block.code.split(), f"{page.name}:{block.line} promises another output"


@each_page
def test_the_links_of_a_page_lead_somewhere(page: Path):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"(?:\]\(|src=\")(?!https?:|#)([^)#\"]+)", text)
    assert not [t for t in targets if not (page.parent / t).exists()]


def test_the_file_map_is_fresh():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert filemap.with_map(readme) == readme, "run `make map` and look at the lines it changes"


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match=r"expected the marks .* around the file map, found none"):
        filemap.with_map("# A page")


def test_a_file_is_described_by_its_first_line(tmp_path: Path):
    (tmp_path / "nn").mkdir()
    (tmp_path / "nn/__init__.py").write_text('"""Networks."""')
    (tmp_path / "nn/swin.py").write_text('"""A backbone.\n\nMore.\n"""')
    assert [line.split(maxsplit=1) for line in filemap.entries(tmp_path)] == [
        ["nn/", "Networks."],
        ["swin.py", "A backbone."],
    ]


def test_no_page_names_the_distribution_of_somebody_else():
    for page in PAGES:
        assert not re.search(r"pip install visionllm(?!-v2)\b", page.read_text(encoding="utf-8")), page.name
