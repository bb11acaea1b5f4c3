"""The truth of a picture as results."""

import numpy as np

from visionllm.data.world import draw_picture
from visionllm.data.world.results import detections_of, name_of, poses_of
from visionllm.data.world.scene import Scene


def scenes(theme: str, count: int = 12) -> list[Scene]:
    return [draw_picture(seed, split="test", version=2, theme=theme).scene for seed in range(count)]


def test_everything_that_is_shown_is_found_under_its_name():
    names = set()
    for scene in scenes("mixed"):
        found = detections_of(scene)
        assert [instance.box for instance in found.instances] == [thing.box for thing in scene.things]
        assert [instance.label for instance in found.instances] == [name_of(thing) for thing in scene.things]
        names |= set(found.class_names)
    assert {"person in blue", 'sign "Dog Open"', "purple tree", "brown dog"} <= names


def test_things_of_other_domains_have_their_kind_for_a_name():
    names = {name for scene in scenes("workpiece") for name in detections_of(scene).class_names}
    assert {"scratch", "hole"} <= names


def test_figures_of_one_skeleton_stand_together_and_show_the_joints_in_sight():
    for scene in scenes("figures"):
        poses = poses_of(scene)
        assert sum(len(some) for some in poses) == len(scene.figures)
        assert len({some.keypoint_names for some in poses}) == len(poses)
        for some in poses:
            people = some.keypoint_names[-1] == "right ankle"
            own = [figure for figure in scene.figures if (figure.kind == "person") == people]
            np.testing.assert_array_equal(some.keypoints, [figure.keypoints for figure in own])
            np.testing.assert_array_equal(some.keypoint_scores, [figure.visibility == 2 for figure in own])


def test_a_picture_without_anything_has_empty_results():
    empty = next(scene for scene in scenes("camouflage", 40) if not scene.things)
    assert len(detections_of(empty)) == 0
    assert poses_of(empty) == ()


def test_pictures_of_version_one_have_their_objects():
    scene = draw_picture(3, split="test").scene
    assert len(detections_of(scene)) == len(scene.objects) > 0
    assert poses_of(scene) == ()
