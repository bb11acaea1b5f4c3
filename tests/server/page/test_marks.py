"""What a user pointed at."""

import json

import numpy as np
import pytest

from visionllm.server.errors import ApiError
from visionllm.server.page.marks import inside, regions_of
from visionllm.server.page.words import Told
from visionllm.types import Box, Instance, Mask, Point, Scribble

SIZE = (40, 60)
FOUND = (Instance("star", 0.5, (-3.0, 2.0, 70.0, 9.0)),)


def read(*marks):
    return regions_of(json.dumps(marks), FOUND, SIZE)


def test_each_kind_of_mark_is_a_region():
    assert read({"kind": "point", "at": [3, 4]}) == (Point(3, 4),)
    assert read({"kind": "box", "at": [1, 2, 30, 40]}) == (Box(1, 2, 30, 40),)
    assert read({"kind": "scribble", "at": [1, 2, 3, 4], "width": 5}) == (Scribble(((1, 2), (3, 4)), 5),)
    assert read({"kind": "pick", "id": 0}) == (Box(0, 2, 60, 9),)
    assert regions_of("", (), SIZE) == ()


def test_only_boxes_that_were_found_are_cut_at_the_border():
    mask = Mask(np.ones(SIZE, dtype=bool))
    assert inside(mask, SIZE) is mask and inside(Box(-1, -1, 99, 99), SIZE) == Box(0, 0, 60, 40)


@pytest.mark.faults
@pytest.mark.parametrize(
    "marks",
    [
        [{"kind": "box", "at": [1, 2, 3]}],
        [{"kind": "point", "at": ["1", 2]}],
        [{"kind": "point", "at": [True, 2]}],
        [{"kind": "point", "at": None}],
        [{"kind": "scribble", "at": [1, 2, 3]}],
        [{"kind": "scribble", "at": [1, 2, 3, 4], "width": 0}],
        [{"kind": "scribble", "at": [1] * 9000}],
        [{"kind": "pick", "id": 1}],
        [{"kind": "pick", "id": "0"}],
        [{"kind": "pick", "id": True}],
        [{}],
        ["box"],
        [{"kind": "point", "at": [1, 1]}] * 17,
        {"kind": "box"},
    ],
)
def test_anything_else_is_refused_in_a_sentence(marks):
    with pytest.raises(Told, match=r"\.$"):
        regions_of(json.dumps(marks), FOUND, SIZE)


@pytest.mark.faults
@pytest.mark.parametrize("text", ["{", "[" * 100_000, "nul"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(Told):
        regions_of(text, FOUND, SIZE)
    with pytest.raises(Told):
        regions_of('[{"kind": "point", "at": [1, NaN]}]', FOUND, SIZE)


@pytest.mark.faults
@pytest.mark.parametrize("at", [[5, 5, 500, 20], [-1, 0, 5, 5], [5, 5, 5, 9]])
def test_a_region_outside_is_refused_and_never_moved(at):
    with pytest.raises(ApiError, match="region 0: expected a box") as refusal:
        read({"kind": "box", "at": at})
    assert refusal.value.code == "invalid_region"
