"""No row of the list of faults gets lost: each has a test of its number, marked `faults`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counts import COUNTS

ROWS = [f"s{number:02}" for number in range(1, 25)]
ROW = re.compile(r"test_(s\d\d)_")


def is_faults(mark: ast.expr) -> bool:
    """Tell whether an expression is `pytest.mark.faults`, or a list with it."""
    if isinstance(mark, ast.List | ast.Tuple):
        return any(is_faults(item) for item in mark.elts)
    return ast.unparse(mark) == "pytest.mark.faults"


def named(source: str) -> Iterator[tuple[str, bool]]:
    """Yield the tests of a module that are named after a row, and whether each is marked `faults`."""
    module = ast.parse(source)
    marks = [node.value for node in module.body if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node)]
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and ROW.match(node.name):
            yield node.name, any(is_faults(mark) for mark in (*marks, *node.decorator_list))


@pytest.fixture(scope="module")
def tests(repository: Path) -> dict[str, bool]:
    files = sorted((repository / "tests").rglob("test_*.py"))
    return {
        f"{file.relative_to(repository)}::{name}": marked
        for file in files
        for name, marked in named(file.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_list_has_a_test(row: str, tests: dict[str, bool]):
    assert [name for name, marked in tests.items() if marked and f"::test_{row}_" in name]


def test_every_test_of_a_row_is_marked_and_its_row_is_in_the_list(tests: dict[str, bool]):
    assert not [name for name, marked in tests.items() if not marked]
    assert {found[1] for name in tests if (found := ROW.search(name))} == set(ROWS)


def test_every_count_belongs_to_a_row_and_is_no_smaller_in_the_soak():
    assert {name[:3] for name in COUNTS} <= set(ROWS)
    assert all(0 < few <= many for few, many, _ in COUNTS.values())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def test_s01_a(): ...", [("test_s01_a", False)]),
        ("pytestmark = pytest.mark.faults\ndef test_s01_a(): ...", [("test_s01_a", True)]),
        ("pytestmark = [pytest.mark.slow, pytest.mark.faults]\ndef test_s01_a(): ...", [("test_s01_a", True)]),
        (
            "@pytest.mark.faults\ndef test_s01_a(): ...\ndef test_s02_b(): ...",
            [("test_s01_a", True), ("test_s02_b", False)],
        ),
        ("pytestmark = pytest.mark.slow\ndef test_s1_a(): ...\ndef test_s01(): ...", []),
    ],
)
def test_tests_and_their_marks_are_read_from_the_source(source: str, found: list[tuple[str, bool]]):
    assert list(named(source)) == found
