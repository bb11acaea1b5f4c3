from dataclasses import replace

import numpy as np
import pytest
import torch

from visionllm.processing.chat import Group, Written
from visionllm.processing.configuration import ROUTES
from visionllm.processing.targets import (
    detection_targets,
    detection_truth,
    owners,
    picture_targets,
    picture_truth,
    pose_targets,
    pose_truth,
    units,
)
from visionllm.types import DetectionTruth, Message, PictureTruth, PoseTruth, Routed, Sample, ask

BY_TOKEN = {route.token: route for route in ROUTES}
DOT, WORD = 1, 2


def written(text: str) -> Written:
    """Build a row from words: routing tokens open groups, `.` ends a sentence, everything else is a word."""
    row = Written()
    for word in text.split():
        if word in BY_TOKEN:
            row.groups.append(Group(token=word, position=len(row.ids), span=len(row.groups)))
        row.ids.append(DOT if word == "." else WORD)
    return row


def sample(truth: DetectionTruth | None, routed: int = 2) -> Sample:
    answer = Message("assistant", tuple(Routed("a", "[DET]") for _ in range(routed)))
    return Sample(request=ask("?"), answer=answer, truth={} if truth is None else {"detection": truth})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b .", []),
        ("a [DET]", [("detection", [0])]),
        ("a [DET] , b [DET] .", [("detection", [0, 1])]),
        ("a [DET] . b [DET]", [("detection", [0]), ("detection", [1])]),
        ("a [DET] [GRD] [SEG]", [("detection", [0, 1, 2])]),
        ("a [DET] b [GEN] c [DET]", [("detection", [0]), ("generation", [1]), ("detection", [2])]),
        ("a [DET] b [POSE] c [POSE]", [("pose", [0, 1, 2])]),
        ("a [GRD] b [POSE]", [("detection", [0]), ("pose", [1])]),
        ("a [DET] . b [POSE] . c [POSE] .", [("pose", [0, 1, 2])]),
        ("a [DET] . b [POSE] . c [DET] . d [POSE]", [("pose", [0, 1]), ("pose", [2, 3])]),
        (". . [EDIT] .", [("editing", [0])]),
    ],
)
def test_groups_of_a_sentence_are_decoded_together(text: str, expected: list[tuple[str, list[int]]]) -> None:
    found = units(written(text), BY_TOKEN, {DOT})
    assert [(decoder, [g.span for g in groups]) for decoder, groups in found] == expected


def test_without_groups_nobody_owns_anything() -> None:
    assert owners([], BY_TOKEN) == []


def test_targets_are_relative_boxes_of_the_units_own_spans() -> None:
    truth = DetectionTruth(
        boxes=np.array([[0, 0, 10, 20], [5, 5, 15, 25], [1, 2, 3, 4]], np.float32),
        class_ids=np.array([2, 0, 1]),
        masks=np.stack([np.full((40, 20), i % 2 == 0) for i in range(3)]),
    )
    targets = detection_targets(truth, [1, 2], (40, 20), (20, 10))
    torch.testing.assert_close(targets.boxes, torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.1, 0.075, 0.1, 0.05]]))
    assert targets.class_ids.tolist() == [1, 0]
    assert targets.masks is not None
    assert targets.masks.shape == (2, 20, 10)
    assert targets.masks.all()


def test_a_unit_without_objects_has_empty_targets() -> None:
    truth = DetectionTruth(boxes=np.zeros((0, 4), np.float32), class_ids=np.zeros(0, np.int64))
    targets = detection_targets(truth, [0], (4, 4), (4, 4))
    assert targets.boxes.shape == (0, 4)
    assert targets.class_ids.shape == (0,)
    assert targets.class_ids.dtype == torch.long
    assert targets.masks is None


def test_missing_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="expected truth for the detection decoder, which the answer opens, got none"):
        detection_truth(sample(None))


@pytest.mark.parametrize("span", [-1, 2])
def test_truth_of_a_span_that_the_answer_lacks_is_refused(span: int) -> None:
    truth = DetectionTruth(boxes=np.ones((1, 4), np.float32), class_ids=np.array([span]))
    with pytest.raises(ValueError, match=rf"expected class_ids that name one of 2 routed spans, got \[{span}\]"):
        detection_truth(sample(truth))


def test_masks_of_another_size_are_refused() -> None:
    truth = DetectionTruth(boxes=np.ones((1, 4), np.float32), class_ids=np.array([0]), masks=np.ones((1, 4, 5), bool))
    with pytest.raises(ValueError, match=r"expected masks of the picture's size \(4, 4\), got \(4, 5\)"):
        detection_targets(truth, [0], (4, 4), (4, 4))


POSES = PoseTruth(
    boxes=np.array([[0, 0, 10, 20], [5, 5, 15, 25]], np.float32),
    class_ids=np.array([0, 2]),
    keypoints=np.array([[[5, 10], [0, 0], [10, 20]], [[6, 8], [20, 40], [1, 1]]], np.float32),
    visibility=np.array([[2, 0, 1], [1, 2, 0]]),
    sigmas=np.array([0.1, 0.2, 0.3], np.float32),
)


def test_targets_of_poses_are_those_of_the_units_own_objects_and_keypoints() -> None:
    targets = pose_targets(POSES, [2], [2, 0], (40, 20))
    torch.testing.assert_close(targets.boxes, torch.tensor([[0.5, 0.375, 0.5, 0.5]]))
    torch.testing.assert_close(targets.keypoints, torch.tensor([[[0.05, 0.025], [0.3, 0.2]]]))
    assert targets.visible.tolist() == [[False, True]]
    assert targets.class_ids.tolist() == [0]
    torch.testing.assert_close(targets.areas, torch.tensor([0.25]))
    torch.testing.assert_close(targets.sigmas, torch.tensor([0.3, 0.1]))


def test_known_areas_are_taken_as_shares_of_the_picture() -> None:
    truth = replace(POSES, areas=np.array([80, 40], np.float32))
    torch.testing.assert_close(pose_targets(truth, [0, 2], [0], (40, 20)).areas, torch.tensor([0.1, 0.05]))


def test_fewer_keypoints_than_the_answer_asks_for_are_refused() -> None:
    with pytest.raises(ValueError, match="expected truth for 4 keypoints, one per \\[POSE\\] of the answer, got 3"):
        pose_targets(POSES, [0], [3], (40, 20))


def test_truth_of_another_decoder_is_refused() -> None:
    wrong = Sample(request=ask("?"), answer=Message("assistant", ("a",)), truth={"detection": POSES})
    with pytest.raises(ValueError, match="expected a DetectionTruth for the detection decoder, got a PoseTruth"):
        detection_truth(wrong)
    with pytest.raises(ValueError, match="expected truth for the pose decoder, which the answer opens, got none"):
        pose_truth(wrong)


def drawn(truth: object, routed: int = 1) -> Sample:
    answer = Message("assistant", tuple(Routed("", "[GEN]") for _ in range(routed)))
    return Sample(request=ask("?"), answer=answer, truth={"generation": truth})  # pyright: ignore[reportArgumentType]


def test_the_target_of_a_picture_is_the_picture_from_black_to_white() -> None:
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[:, 2:] = 255
    pixels[0, 0] = (255, 0, 0)
    (found,) = picture_targets(PictureTruth(pixels=pixels), (2, 4)).pictures
    assert found[0].tolist() == [[1, -1, 1, 1], [-1, -1, 1, 1]]
    assert found[1].tolist() == [[-1, -1, 1, 1], [-1, -1, 1, 1]]


def test_a_picture_is_resized_with_a_filter() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, ::2] = 254
    found = picture_targets(PictureTruth(pixels=pixels), (2, 2)).pictures
    assert found.shape == (1, 3, 2, 2)
    assert found.abs().max() < 0.3


def test_one_picture_is_the_truth_of_one_routing_token() -> None:
    truth = PictureTruth(pixels=np.zeros((2, 4, 3), np.uint8))
    assert picture_truth(drawn(truth), "generation", 1) is truth
    with pytest.raises(ValueError, match=r"expected one routing token for the generation decoder .*, got 2"):
        picture_truth(drawn(truth, 2), "generation", 2)
    with pytest.raises(ValueError, match="expected a PictureTruth for the generation decoder, got a PoseTruth"):
        picture_truth(drawn(POSES), "generation", 1)
    with pytest.raises(ValueError, match="expected truth for the editing decoder, which the answer opens, got none"):
        picture_truth(drawn(truth), "editing", 1)
