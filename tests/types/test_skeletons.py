import pytest

from visionllm.types.skeletons import (
    AP10K_ANIMAL,
    CLASS_SKELETONS,
    COCO_PERSON,
    CROWDPOSE_PERSON,
    SIGMA,
    Skeleton,
    bones_among,
    skeleton_for,
)


def test_known_skeletons_have_the_published_order():
    assert COCO_PERSON.names[:7] == (
        "nose",
        "left eye",
        "right eye",
        "left ear",
        "right ear",
        "left shoulder",
        "right shoulder",
    )
    assert len(COCO_PERSON.names) == len(COCO_PERSON.sigmas) == 17
    assert CROWDPOSE_PERSON.names[-2:] == ("head", "neck")
    assert len(CROWDPOSE_PERSON.names) == len(CROWDPOSE_PERSON.sigmas) == 14


def test_any_subset_keeps_its_bones_in_its_own_order():
    names = ["left ankle", "left knee", "nose"]
    assert COCO_PERSON.bones_among(names) == ((1, 0),)
    assert COCO_PERSON.bones_among([]) == ()
    assert COCO_PERSON.sigmas_of(["left hip", "antenna"]) == (0.107, SIGMA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a", "a")}, "expected each keypoint once"),
        ({"names": ("a", "b"), "bones": (("a", "c"),)}, "expected bones between keypoints"),
        ({"names": ("a", "b"), "sigmas": (0.1,)}, "expected 2 sigmas, one per keypoint, got 1"),
    ],
)
def test_a_skeleton_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Skeleton(**change)


def test_the_skeleton_that_knows_most_of_the_names_draws_the_bones():
    assert skeleton_for(["head", "neck", "left hip"]) is CROWDPOSE_PERSON
    assert bones_among(["head", "neck"]) == ((0, 1),)
    assert bones_among(["door", "handle"]) == ()


def test_animals_have_the_published_order_of_ap10k():
    assert AP10K_ANIMAL.names[:6] == ("left eye", "right eye", "nose", "neck", "root of tail", "left shoulder")
    assert AP10K_ANIMAL.names[-3:] == ("right hip", "right knee", "right back paw")
    assert len(AP10K_ANIMAL.names) == len(AP10K_ANIMAL.sigmas) == 17
    assert skeleton_for(["left front paw", "root of tail"]) is AP10K_ANIMAL
    assert CLASS_SKELETONS["dog"] is AP10K_ANIMAL
