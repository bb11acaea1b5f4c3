"""The page of quirks says what the code does: it is written from the fields and from one table of rows."""

import importlib.util
import sys

import pytest


@pytest.fixture
def quirks(repository, monkeypatch):
    spec = importlib.util.spec_from_file_location("quirks_page", repository / "docs" / "quirks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "quirks_page", module)  # where its dataclass looks for itself
    spec.loader.exec_module(module)
    return module


def test_the_page_is_the_one_that_the_code_writes(quirks):
    assert quirks.PAGE.read_text(encoding="utf-8") == quirks.page(), "run python docs/quirks.py"


def test_every_published_row_has_its_line(quirks):
    numbers = [row.number for row in quirks.ROWS]
    assert numbers[:41] == [*(f"Q{i}" for i in range(1, 24)), *(f"L{i}" for i in range(1, 19))]
    assert len(set(numbers)) == len(numbers)


def test_a_row_is_switched_kept_right_or_elsewhere(quirks):
    known = {"kept", "right", "elsewhere", *quirks.field_words()}
    assert {row.switch for row in quirks.ROWS} <= known
    assert all(bool(row.ours) != (row.switch in quirks.field_words()) for row in quirks.ROWS)


def test_a_field_without_a_row_or_a_reader_is_noticed(quirks, monkeypatch):
    monkeypatch.setattr(quirks, "places", lambda _: [])
    with pytest.raises(ValueError, match=r"expected a module that reads quirks\.\w+, got none"):
        quirks.page()
    monkeypatch.setattr(quirks, "ROWS", quirks.ROWS[:-1])
    with pytest.raises(ValueError, match="expected one row for each field of Quirks"):
        quirks.page()
