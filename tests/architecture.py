"""The written rules of the code, as functions from a source file to its offences."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


def rows_of(page: str) -> dict[str, int]:
    """Read the table of units.

    >>> rows_of("| 3 | `super_link.py` `decoders/` | slots |")
    {'super_link': 3, 'decoders': 3}
    """
    rows = re.findall(r"^\| (\d+) \|([^|]+)\|", page, re.MULTILINE)
    return {unit: int(row) for row, units in rows for unit in re.findall(r"`(\w+)(?:/|\.py)`", units)}


ROW_OF = rows_of((Path(__file__).resolve().parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8"))
DOORS = ("__init__", "__main__")  # `import visionllm` and `python -m visionllm` may reach every row
RESULTS = ("types/results.py", "types/poses.py", "types/generated.py", "types/answers.py")
EXCEPTIONS = {(file, "rendering") for file in RESULTS}  # `Result.render()`, the one named exception to the rows
FILE_LINES, FUNCTION_LINES = 400, 60

Offences = Iterator[tuple[int, str]]


@dataclass(frozen=True)
class Source:
    """One Python file: its path relative to the repository, with forward slashes, and what is in it."""

    path: str
    text: str

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the syntax tree."""
        return tuple(ast.walk(ast.parse(self.text)))

    @property
    def inside(self) -> str:
        """The path below the package, or nothing for a file outside it."""
        return self.path.removeprefix("src/visionllm/") if self.path.startswith("src/visionllm/") else ""

    @property
    def unit(self) -> str:
        """The entry of the table of rows that the file belongs to."""
        return self.inside.split("/")[0].removesuffix(".py")

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method."""
        return [n for n in self.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def docstring_lines(self) -> frozenset[int]:
        """Numbers of the lines that docstrings take."""
        lines: set[int] = set()
        for node in self.nodes:
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        return frozenset(lines)

    def lines_between(self, first: int, last: int) -> int:
        """Count lines, docstrings left out."""
        return sum(line not in self.docstring_lines for line in range(first, last + 1))

    def matches(self, pattern: str) -> Offences:
        """Yield every place where a regular expression matches."""
        for number, line in enumerate(self.text.splitlines(), 1):
            yield from ((number, match.group()) for match in re.finditer(pattern, line))

    def calls(self, name: str) -> Offences:
        """Yield every call of a function by its plain name."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node.lineno, ast.unparse(node)[:60]


def sources(repository: Path) -> list[Source]:
    """Return every Python file of the repository."""
    files = [f for top in ("src", "tests", "benchmarks", "docs") for f in sorted((repository / top).rglob("*.py"))]
    return [Source(f.relative_to(repository).as_posix(), f.read_text(encoding="utf-8")) for f in files]


def imports(source: Source) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of every import: at the top, in functions, for type checks, by `import_module`."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "." * node.level + (node.module or ""), alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from ((node.lineno, str(a.value), "") for a in node.args[:1] if isinstance(a, ast.Constant))


def wrong_rows(source: Source) -> Offences:
    """Yield imports of a lower row, or of the inside of a sibling."""
    if source.unit in ("", *DOORS):
        return
    if source.unit not in ROW_OF:
        yield 1, f"{source.unit} stands in no row"
        return
    for line, module, name in imports(source):
        parts = [*module.split("."), name]
        unit = parts[1] if parts[0] == "visionllm" else source.unit
        if unit in (source.unit, "__version__") or (source.inside, unit) in EXCEPTIONS:
            continue
        if unit not in ROW_OF:
            yield line, f"{unit} stands in no row"
        elif ROW_OF[unit] > ROW_OF[source.unit]:
            yield line, f"{source.unit} (row {ROW_OF[source.unit]}) imports {unit} (row {ROW_OF[unit]})"
        elif ROW_OF[unit] == ROW_OF[source.unit] and module.count(".") > 1:
            yield line, f"{source.unit} imports the inside of its sibling: {module}"


def long_files(source: Source) -> Offences:
    """Yield the file if it is too long."""
    lines = source.lines_between(1, len(source.text.splitlines()))
    if lines > FILE_LINES:
        yield 1, f"{lines} lines"


def long_functions(source: Source) -> Offences:
    """Yield functions that are too long."""
    for function in source.functions:
        lines = source.lines_between(function.lineno, function.end_lineno or function.lineno)
        if lines > FUNCTION_LINES:
            yield function.lineno, f"{function.name} has {lines} lines"


def greedy_excepts(source: Source) -> Offences:
    """Yield handlers that catch everything and keep it; those that clean up and raise on are no offence."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise":
            caught = ast.unparse(node.type) if node.type else ""
            if not caught or re.search(r"\b(Base)?Exception\b", caught):
                yield node.lineno, f"except {caught}".strip()


def asserts(source: Source) -> Offences:
    """Yield assert statements of the package."""
    yield from ((n.lineno, ast.unparse(n)[:60]) for n in source.nodes if isinstance(n, ast.Assert) and source.inside)


def prints(source: Source) -> Offences:
    """Yield calls of `print` outside the command line."""
    if source.inside and source.unit != "cli":
        yield from source.calls("print")


def relative_imports(source: Source) -> Offences:
    """Yield imports that depend on where the file lies, or bring in names that nobody can see."""
    for line, module, name in imports(source):
        if module.startswith(".") or name == "*":
            yield line, f"from {module} import {name}"


def torchvision_imports(source: Source) -> Offences:
    """Yield imports of torchvision."""
    yield from ((line, module) for line, module, _ in imports(source) if module.split(".")[0] == "torchvision")


def published_names(source: Source) -> Offences:
    """Yield names of the published checkpoint outside the folders that translate them."""
    if source.unit != "weights" and not source.path.startswith(("tests/parity/", "tests/weights/")):
        yield from source.matches(r"[v]l_bridge|[g]dino|[e]mb_embeddings")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of the house.

    Attributes:
        lesson: What to do instead.
        offences: Yields line and text of each offence of a file.
        breaches: A file that breaks the rule, so that the rule itself is tested.
    """

    lesson: str
    offences: Callable[[Source], Offences]
    breaches: Source


def _package(text: str, path: str = "ops/boxes.py") -> Source:
    return Source(f"src/visionllm/{path}", text)


_LONG_BODY = "\n".join(f"    x{i} = {i}" for i in range(FUNCTION_LINES))
RULES = {
    "a-unit-imports-rows-above-it-only": Rule(
        lesson="Imports go up the table of docs/architecture.md: move what both need up, or pass it as an argument.",
        offences=wrong_rows,
        breaches=_package("def f():\n    from visionllm.model import VisionLLMForConditionalGeneration"),
    ),
    "a-sibling-is-reached-by-its-face-only": Rule(
        lesson="Import from the package (`from visionllm.data import …`), which says what it offers to its neighbours.",
        offences=wrong_rows,
        breaches=_package("from visionllm.data.world.scene import KINDS", "rendering/boxes.py"),
    ),
    "a-unit-stands-in-the-table": Rule(
        lesson="Put the file into one of the units of the table of rows, or argue for a new unit there.",
        offences=wrong_rows,
        breaches=_package("", "utils.py"),
    ),
    "a-file-has-at-most-400-lines": Rule(
        lesson="Split it where one idea ends; docstrings are not counted.",
        offences=long_files,
        breaches=_package("x = 1\n" * (FILE_LINES + 1)),
    ),
    "a-function-has-at-most-60-lines": Rule(
        lesson="Give the steps names of their own; docstrings are not counted.",
        offences=long_functions,
        breaches=_package(f"def f():\n{_LONG_BODY}"),
    ),
    "an-except-names-its-errors": Rule(
        lesson="Catch the errors you expect by name; what nobody expected must be seen.",
        offences=greedy_excepts,
        breaches=_package("try:\n    f()\nexcept (ValueError, Exception):\n    pass"),
    ),
    "imports-are-absolute-and-named": Rule(
        lesson="Write `from visionllm.ops.boxes import box_area`: it can be searched for and moved.",
        offences=relative_imports,
        breaches=_package("from .boxes import *"),
    ),
    "only-the-command-line-prints": Rule(
        lesson="Return the value, raise an error or log; only visionllm.cli talks to the terminal.",
        offences=prints,
        breaches=_package("print(1)"),
    ),
    "the-package-never-asserts": Rule(
        lesson="Raise a ValueError that says what was expected and what came: `python -O` removes asserts.",
        offences=asserts,
        breaches=_package("assert x"),
    ),
    "no-notes-to-oneself": Rule(
        lesson="Do it, or write an issue.",
        offences=lambda source: source.matches(r"\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b"),
        breaches=_package(f"x = 1  # {'todo'.upper()}: later"),
    ),
    "an-ignore-names-its-rule": Rule(
        lesson="Write `# noqa: RULE` or `# pyright: ignore[rule]` on the one line that needs it, and why.",
        offences=lambda source: source.matches(
            r"# *(noqa(?!:)|ruff: *noqa|type: *ignore|pyright: *(ignore(?!\[)|basic))"
        ),
        breaches=_package("x = 1  # " + "noqa"),
    ),
    "torchvision-is-never-imported": Rule(
        lesson="It has no CPU build beside this torch, and breaks transformers: write the operation in visionllm.ops.",
        offences=torchvision_imports,
        breaches=_package("from torchvision.ops import nms"),
    ),
    "published-names-live-in-weights-alone": Rule(
        lesson="Use the words of this project; visionllm.weights translates the names of the published checkpoint.",
        offences=published_names,
        breaches=_package("x = 'g" + "dino'"),
    ),
}


def has_code(source: Source) -> bool:
    """Tell whether there is something to run: a file of values, names or abstract methods needs no test of its own."""

    def is_empty(statement: ast.stmt) -> bool:
        return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)

    return any(not all(is_empty(statement) for statement in function.body) for function in source.functions)


def mirrors_of(source: Source) -> list[str]:
    """Return where the tests of a module may stand: in its mirror, or in one file for its whole package.

    >>> mirrors_of(Source("src/visionllm/data/world/pens.py", ""))
    ['tests/data/world/test_pens.py', 'tests/data/test_world.py']
    """
    *folders, name = source.inside.removesuffix(".py").split("/")
    places = [[*folders, name], folders] if name != "__init__" else [folders or ["init"]]
    return ["/".join(["tests", *place[:-1], f"test_{place[-1]}.py"]) for place in places if place]
