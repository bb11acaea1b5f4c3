"""Positions are told only where nobody would disagree."""

import pytest

from tests.data.world.scenes import thing
from visionllm.data.world.positions import clearly_larger, direction_between, in_order, lies, middle

ANCHOR = thing("small red solid star", (60, 50))


@pytest.mark.parametrize(
    ("at", "direction", "true"),
    [
        pytest.param((20, 50), "left of", True, id="straight-left"),
        pytest.param((20, 70), "left of", True, id="a-little-below"),
        pytest.param((100, 50), "left of", False, id="right"),
        pytest.param((60, 10), "left of", False, id="straight-above"),
        pytest.param((35, 10), "left of", None, id="more-above-than-left"),
        pytest.param((52, 50), "left of", None, id="too-near"),
        pytest.param((60, 10), "above", True, id="above"),
        pytest.param((60, 90), "below", True, id="below"),
        pytest.param((100, 52), "right of", True, id="right-of"),
    ],
)
def test_a_thing_lies_in_a_direction_clearly_or_not_at_all(at: tuple[int, int], direction: str, true: bool | None):
    assert lies(thing("small blue solid fish", at), direction, ANCHOR) is true


@pytest.mark.parametrize(
    ("at", "direction"), [((20, 50), "left of"), ((60, 8), "above"), ((100, 85), None), ((66, 50), None)]
)
def test_the_direction_between_two_things(at: tuple[int, int], direction: str | None):
    assert direction_between(thing("small blue solid fish", at), ANCHOR) == direction


def test_the_middle_is_that_of_the_visible_box():
    assert middle(ANCHOR) == (60.5, 50.5)


def test_a_thing_is_larger_only_if_it_looks_so():
    large, small = thing("large red solid star", (20, 50)), thing("small red solid star", (90, 50))
    thin = thing("large red solid key", (20, 50))
    thin.mask[:, 10:] = False
    assert clearly_larger(large, small)
    assert not clearly_larger(small, large)
    assert not clearly_larger(large, large)
    assert not clearly_larger(thin, small)


def test_order_starts_at_the_named_side():
    left, right = thing("small red solid star", (20, 80)), thing("small red solid star", (90, 20))
    assert in_order([right, left], "left") == [left, right]
    assert in_order([right, left], "right") == [right, left]
    assert in_order([right, left], "top") == [right, left]
    assert in_order([right, left], "bottom") == [left, right]


def test_order_is_not_told_where_two_are_level():
    assert in_order([thing("small red solid star", (20, 50)), thing("small red solid star", (90, 52))], "top") is None


@pytest.mark.parametrize("count", [0, 1])
def test_few_things_are_always_in_order(count: int):
    assert in_order([ANCHOR][:count], "left") == [ANCHOR][:count]
