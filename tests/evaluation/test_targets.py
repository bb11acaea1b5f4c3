"""Bounds that scores must reach."""

import pytest

from visionllm.evaluation.targets import WANTED, Target


@pytest.mark.parametrize(
    ("at_most", "value", "met"),
    [
        (False, 0.5, True),
        (False, 0.49, False),
        (True, 0.5, True),
        (True, 0.51, False),
        (False, None, False),
        (True, None, False),
    ],
)
def test_a_bound_is_met_or_not(at_most, value, met):
    assert Target(family="a", score="b", bound=0.5, at_most=at_most).met(value) is met


def test_bounds_read_as_people_write_them():
    assert str(Target(family="a", score="b", bound=0.5)) == "≥ 0.50"
    assert str(Target(family="a", score="b", bound=0.3, at_most=True)) == "≤ 0.30"


def test_no_score_has_two_targets():
    assert len({(t.family, t.score) for t in WANTED}) == len(WANTED) == 42
