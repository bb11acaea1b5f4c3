"""Writes the file map of the README: `python docs/filemap.py` reads the first line of every module."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- file map: python docs/filemap.py -->", "<!-- end of the file map -->"


def first_line(file: Path) -> str:
    """Return the first line of a module's docstring, or nothing."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0]


def entries(folder: Path, depth: int = 0) -> list[str]:
    """Return one line a file or folder, indented by depth; a folder says what its `__init__` says."""
    lines = []
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_dir(), p.name)):
        indent = "  " * depth
        if path.is_dir() and any(path.rglob("*.py")):
            face = path / "__init__.py"
            lines.append(f"{indent + path.name + '/':<30} {first_line(face) if face.exists() else ''}".rstrip())
            lines += entries(path, depth + 1)
        elif path.suffix == ".py" and path.name != "__init__.py":
            lines.append(f"{indent + path.name:<30} {first_line(path)}".rstrip())
    return lines


def with_map(page: str, root: Path = ROOT) -> str:
    """Return the page with the map between its two marks renewed.

    Raises:
        ValueError: If a mark is missing.
    """
    if START not in page or END not in page:
        raise ValueError(f"expected the marks {START!r} and {END!r} around the file map, found none")
    before, rest = page.split(START)
    after = rest.split(END)[1]
    blocks = [f"{folder}/\n" + "\n".join(entries(root / folder, 1)) for folder in ("src/visionllm", "benchmarks")]
    return f"{before}{START}\n```text\n" + "\n".join(blocks) + f"\n```\n{END}{after}"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_map(readme.read_text(encoding="utf-8")), encoding="utf-8")
