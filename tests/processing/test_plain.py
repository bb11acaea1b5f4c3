from dataclasses import dataclass
from typing import Literal

import pytest

from visionllm.processing import VisionImageConfig
from visionllm.processing.plain import from_plain


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A thing to build."""

    label: str
    boards: tuple[int, ...] = ()
    side: Literal["left", "right"] = "left"


def test_lists_become_tuples() -> None:
    assert from_plain(Shelf, {"label": "a", "boards": [1, 2]}, "shelf") == Shelf(label="a", boards=(1, 2))


def test_whole_numbers_are_floats_too() -> None:
    assert from_plain(VisionImageConfig, {"mean": [0, 0, 0]}, "here").mean == (0, 0, 0)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ([], r"expected an object at shelf, got \[\]"),
        ({"label": "a", "high": 1}, "expected no key 'high' at shelf, got one; known keys are label, boards, side"),
        ({"boards": []}, "expected every key without a default at shelf, got only boards"),
        ({"label": 1}, "expected str at shelf:label, got 1"),
        ({"label": "a", "boards": [1, "x"]}, "expected int at shelf:boards:1, got 'x'"),
        ({"label": "a", "side": "up"}, "at shelf:side, got 'up'"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(plain: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_plain(Shelf, plain, "shelf")
