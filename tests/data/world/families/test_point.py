"""What is marked is what is to be cut out."""

import pytest

from tests.data.world.scenes import boxes_of, drawn, labels, marks, picture_of, thing
from visionllm.data.world.tasks import make_sample
from visionllm.types import Box, Mask, Point, Polygon, Scribble

WAYS = {"point": {Point}, "scribble": {Scribble}, "box": {Box}, "mask": {Mask, Polygon}}


@pytest.mark.parametrize("way", WAYS)
def test_a_family_points_in_its_own_way(way: str):
    found = {type(marks(s)[0].region) for p in drawn(60) if (s := make_sample(p, f"segment-{way}", 0))}
    assert found == WAYS[way]


def test_a_point_is_answered_with_the_object_under_it():
    for picture in drawn(60):
        sample = make_sample(picture, "segment-point", 0)
        if sample is None:
            continue
        point = marks(sample)[0].region
        assert isinstance(point, Point)
        under = [item for item in picture.scene.objects if item.mask[int(point.y), int(point.x)]]
        if under:
            assert sample.answer.text == "Here it is: region1."
            assert boxes_of(sample, 0) == {item.box for item in under}
        else:
            assert sample.answer.text == "There is nothing there."


def test_several_regions_keep_their_order():
    for picture in drawn(60):
        sample = make_sample(picture, "segment-several", 0)
        if sample is None:
            continue
        assert 2 <= len(marks(sample)) <= 4
        assert labels(sample) == [f"region{index + 1}" for index in range(len(marks(sample)))]
        for index, mark in enumerate(marks(sample)):
            if isinstance(mark.region, Point):
                (item,) = [i for i in picture.scene.objects if i.mask[int(mark.region.y), int(mark.region.x)]]
                assert boxes_of(sample, index) == {item.box}


def test_one_thing_is_not_several():
    assert make_sample(picture_of(thing("small red solid star", (20, 20))), "segment-several", 0) is None
