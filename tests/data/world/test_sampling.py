from itertools import pairwise

import pytest

from visionllm.data.world.sampling import DIAMETERS, ObjectPlan, sample_plan, sample_radius, sample_size
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES
from visionllm.data.world.splits import picture_dice


def plan_of(kind: str, size: str, fill: str) -> ObjectPlan:
    return ObjectPlan(kind=kind, colour="red", size=size, fill=fill)


@pytest.mark.parametrize(
    ("kind", "size", "fill", "legible"),
    [
        ("key", "small", "solid", True),
        ("key", "small", "outline", False),
        ("car", "small", "outline", True),
        ("car", "small", "dotted", False),
        ("circle", "small", "dotted", True),
        ("car", "medium", "dotted", True),
    ],
)
def test_small_intricate_objects_wear_no_pattern(kind, size, fill, legible):
    assert plan_of(kind, size, fill).legible is legible


def test_shrinking_keeps_a_fill_that_can_still_be_told():
    assert plan_of("circle", "large", "striped").shrunk() == plan_of("circle", "small", "striped")
    assert plan_of("key", "large", "striped").shrunk() == plan_of("key", "small", "solid")


def test_planned_objects_are_legible():
    plans = [sample_plan(picture_dice(seed, "train"), "train", (128, 128), photos=True) for seed in range(200)]
    assert all(item.legible for plan in plans for item in plan.objects)


def test_every_word_is_drawn():
    objects = [
        item
        for seed in range(200)
        for item in sample_plan(picture_dice(seed, "test"), "test", (128, 128), photos=True).objects
    ]
    assert {item.kind for item in objects} == set(KINDS)
    assert {item.colour for item in objects} == set(COLOURS)
    assert {item.size for item in objects} == set(SIZES)
    assert {item.fill for item in objects} == set(FILLS)


def test_pictures_often_hold_several_of_a_kind():
    plans = [sample_plan(picture_dice(seed, "test"), "test", (128, 128), photos=True) for seed in range(200)]
    repeated = [len({item.kind for item in plan.objects}) < len(plan.objects) for plan in plans]
    assert 0.4 < sum(repeated) / len(repeated) < 0.9


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("size_hw", [(64, 64), (128, 128), (224, 96)])
def test_radii_stay_in_the_band_of_their_word(size, size_hw):
    dice = picture_dice(0, "test")
    low, high = DIAMETERS[size]
    for _ in range(50):
        assert low <= 2 * sample_radius(dice, size, size_hw) / min(size_hw) <= high


def test_bands_leave_gaps():
    bands = [DIAMETERS[size] for size in SIZES]
    assert all(above[0] > 1.25 * below[1] for below, above in pairwise(bands))


def test_small_objects_keep_sixteen_pixels_where_the_band_allows_it():
    dice = picture_dice(0, "test")
    assert min(sample_radius(dice, "small", (100, 100)) for _ in range(200)) >= 8


def test_sizes_are_mostly_the_default():
    sizes = [sample_size(picture_dice(seed, "train")) for seed in range(200)]
    assert 0.6 < sizes.count((128, 128)) / 200 < 0.8
