import math

import pytest

from visionllm.config.ranges import Checked


class Sized(Checked):
    size = 3
    kind = "round"


def test_values_inside_their_ranges_pass():
    Sized()._check_ranges(((("size",), 3, 3),))
    Sized()._check_choice("kind", ("round", "flat"))


@pytest.mark.parametrize(("high", "limits"), [(9, r"in \[4, 9\]"), (math.inf, ">= 4")])
def test_a_value_outside_its_range_is_refused(high: float, limits: str):
    with pytest.raises(ValueError, match=f"expected size {limits}, got 3"):
        Sized()._check_ranges(((("size",), 4, high),))


def test_another_choice_is_refused():
    with pytest.raises(ValueError, match=r"expected kind to be one of \('flat',\), got 'round'"):
        Sized()._check_choice("kind", ("flat",))
