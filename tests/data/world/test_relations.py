import numpy as np
import pytest

from visionllm.data.world.relations import RELATIONS, above, below, larger_than, left_of, right_of, smaller_than
from visionllm.data.world.scene import WorldObject


def an_object(box: tuple[int, int, int, int], size: str = "small") -> WorldObject:
    mask = np.zeros((120, 160), dtype=np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return WorldObject(
        kind="square",
        colour="red",
        size=size,
        fill="solid",
        rgb=(255, 0, 0),
        centre=((box[0] + box[2]) / 2, (box[1] + box[3]) / 2),
        radius=10.0,
        angle=0.0,
        depth=0,
        mask=mask,
        box=box,
        visible=1.0,
    )


def test_a_clear_distance_decides():
    first, second = an_object((10, 10, 20, 20)), an_object((40, 60, 50, 70))
    assert left_of(first, second)
    assert right_of(second, first)
    assert above(first, second)
    assert below(second, first)
    assert not left_of(second, first)
    assert not right_of(first, second)
    assert not above(second, first)
    assert not below(first, second)


@pytest.mark.parametrize(("shift", "told"), [(9, False), (10, True)])
def test_less_than_a_twelfth_of_the_shorter_side_is_in_doubt(shift, told):
    first, second = an_object((10, 10, 14, 14)), an_object((10 + shift, 10, 14 + shift, 14))
    assert left_of(first, second) is told
    assert not right_of(first, second)
    assert not above(first, second)
    assert not below(first, second)


def test_large_objects_need_more_distance():
    assert not left_of(an_object((0, 0, 60, 60)), an_object((20, 0, 80, 60)))
    assert left_of(an_object((0, 0, 60, 60)), an_object((30, 0, 90, 60)))


def test_sizes_are_compared_by_their_word():
    small, large = an_object((0, 0, 90, 90)), an_object((0, 0, 5, 5), size="large")
    assert larger_than(large, small)
    assert smaller_than(small, large)
    assert not larger_than(small, small)
    assert not smaller_than(small, small)


def test_relations_are_listed_by_their_words():
    assert set(RELATIONS) == {"left of", "right of", "above", "below", "larger than", "smaller than"}
