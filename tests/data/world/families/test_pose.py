"""Questions for keypoints ask for named joints, and their truth follows the question."""

import numpy as np
import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.families.pose import joints_of, pose_truth_of
from visionllm.data.world.figures import skeleton_of
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.processing.prompts import Prompts, pose_answer, pose_question
from visionllm.types import Message, PoseTruth, Routed

PICTURES = [draw_picture(seed, split="test", version=2, theme="figures") for seed in range(40)]
POSES = [name for name, family in families_of(2).items() if family.group == "pose"]


def test_truth_holds_the_joints_in_the_order_of_the_question():
    figure = next(f for p in PICTURES for f in p.scene.figures if f.kind == "person")
    names = skeleton_of("person").names
    truth = pose_truth_of([[figure]], ["left knee", "neck", "nose"])
    assert truth.keypoints[0, 0].tolist() == figure.keypoints[names.index("left knee")].tolist()
    assert truth.keypoints[0, 2].tolist() == figure.keypoints[names.index("nose")].tolist()
    assert truth.visibility[0].tolist() == [figure.visibility[names.index("left knee")], 0, figure.visibility[0]]
    assert truth.sigmas.tolist() == pytest.approx([0.087, 0.035, 0.026])
    assert truth.areas is not None
    assert truth.areas.tolist() == [figure.area]


def test_truth_of_nothing_is_empty():
    truth = pose_truth_of([[]], ["nose"])
    assert truth.boxes.shape == (0, 4)
    assert truth.keypoints.shape == (0, 1, 2)


def test_names_of_several_kinds_stand_once_each():
    assert joints_of(["dog", "horse"]) == skeleton_of("dog").names
    both = joints_of(["person", "dog"])
    assert len(both) == len(set(both)) == 23


@pytest.mark.parametrize("family", POSES)
def test_answers_route_objects_before_their_joints(family: str):
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, family, seed)
        if sample is None or not sample.truth:
            continue
        tokens = [part.token for part in sample.answer.parts if isinstance(part, Routed)]
        assert tokens == sorted(tokens)
        assert set(tokens) == {"[DET]", "[POSE]"}
        truth = sample.truth["pose"]
        assert isinstance(truth, PoseTruth)
        assert set(truth.visibility.ravel().tolist()) <= {0, 1, 2}


def test_every_figure_of_a_kind_is_in_the_truth():
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "pose-person", seed)
        if sample and sample.truth:
            boxes = {f.box for f in picture.scene.figures if f.kind == "person"}
            truth = sample.truth["pose"]
            assert isinstance(truth, PoseTruth)
            assert {tuple(map(int, box)) for box in truth.boxes} == boxes


def test_subsets_come_in_any_order():
    asked = []
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "pose-some", seed)
        if sample and sample.truth:
            names = [p.text for p in sample.answer.parts if isinstance(p, Routed) and p.token == "[POSE]"]
            assert all(name in sample.request.messages[-1].text.lower() for name in names)
            asked.append(names)
    known = skeleton_of("person").names
    assert any(
        [known.index(n) for n in names] != sorted(map(known.index, names))
        for names in asked
        if set(names) <= set(known)
    )
    assert len({len(names) for names in asked}) > 3


def test_absent_kinds_are_refused():
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "pose-nothing", seed)
        if sample:
            assert not sample.truth
            assert all(f"no {f.kind}" not in sample.answer.text for f in picture.scene.figures)


def test_boxes_are_those_of_what_can_be_seen():
    picture = next(p for p in PICTURES if p.scene.figures)
    figure = picture.scene.figures[0]
    assert np.array_equal(pose_truth_of([[figure]], ["nose"]).boxes[0], np.array(figure.box, dtype=np.float32))


def test_known_poses_are_asked_in_the_words_of_known_class_mode():
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "known-poses", seed)
        assert sample is not None
        assert not sample.learn_text
        spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
        kinds = [span.text for span in spans if span.token == "[DET]"]
        points = [span.text for span in spans if span.token == "[POSE]"]
        asked = sample.request.messages[0].text.strip()
        assert asked == pose_question(kinds, points, Prompts())
        assert sample.answer.text == Message("assistant", pose_answer(kinds, points, Prompts())).text
