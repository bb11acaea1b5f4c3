"""Results: detections, their instances, merging, poses, new pictures, and answers."""

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import Canvas
from visionllm.types import (
    Answer,
    Detections,
    GeneratedImages,
    Message,
    Poses,
    Routed,
    merge_detections,
    run_lengths,
)


def detections(scores: list[float], *, masks: bool = False, name: str = "star", size_hw=(6, 8)) -> Detections:
    n = len(scores)
    boxes = np.array([[i, i, i + 2, i + 3] for i in range(n)], dtype=np.float32).reshape(n, 4)
    return Detections(
        boxes=boxes,
        scores=np.array(scores, dtype=np.float32),
        class_ids=np.zeros(n, dtype=np.int64),
        masks=np.zeros((n, *size_hw), dtype=bool) if masks else None,
        size_hw=size_hw,
        class_names=(name,),
        routes=("[DET]",),
        spans=((0, len(name)),),
    )


def test_an_instance_carries_the_name_route_and_span_of_its_group():
    found = Detections(
        boxes=np.array([[1, 2, 3, 5]], dtype=np.float32),
        scores=np.array([0.5], dtype=np.float32),
        class_ids=np.array([1]),
        size_hw=(6, 8),
        class_names=("star", "car"),
        routes=("[DET]", "[SEG]"),
        spans=((0, 4), (6, 9)),
    )
    (instance,) = found.instances
    assert (instance.label, instance.route, instance.span) == ("car", "[SEG]", (6, 9))
    assert instance.box == (1.0, 2.0, 3.0, 5.0)


def test_without_names_an_instance_is_called_by_its_group():
    found = Detections(
        boxes=np.zeros((1, 4), dtype=np.float32),
        scores=np.ones(1, dtype=np.float32),
        class_ids=np.array([2]),
        size_hw=(6, 8),
    )
    assert found.instances[0].label == "2"
    assert found.instances[0].span is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"scores": np.ones(1, dtype=np.float32)}, r"expected boxes \[N, 4\], scores", id="scores"),
        pytest.param({"masks": np.zeros((2, 5, 8), dtype=bool)}, r"expected masks \(2, 6, 8\)", id="masks"),
        pytest.param(
            {"class_ids": np.array([0, 1])}, r"expected class_ids in \[0, 1\), one of the class_names", id="ids"
        ),
        pytest.param({"class_ids": np.array([0, -1])}, r"got \[0, -1\]", id="negative-id"),
    ],
)
def test_detections_that_do_not_fit_together_are_refused(wrong, message):
    right = detections([0.9, 0.8])
    fields = {name: getattr(right, name) for name in ("boxes", "scores", "class_ids", "size_hw", "class_names")}
    with pytest.raises(ValueError, match=message):
        Detections(**(fields | wrong))


def test_select_takes_masks_along_in_the_order_of_the_indices():
    found = detections([0.9, 0.8, 0.7], masks=True).select(np.array([2, 0]))
    assert found.scores.tolist() == pytest.approx([0.7, 0.9])
    assert found.masks is not None and found.masks.shape == (2, 6, 8)
    assert found.boxes[:, 0].tolist() == [2.0, 0.0]


def test_plain_data_states_its_space_and_is_json():
    plain = json.loads(json.dumps(detections([0.5], masks=True).to_dict()))
    assert plain["space"] == "xyxy pixels of the original image, x1 and y1 exclusive"
    assert plain["size_hw"] == [6, 8]
    assert plain["instances"] == [
        {
            "label": "star",
            "score": 0.5,
            "box": [0.0, 0.0, 2.0, 3.0],
            "route": "[DET]",
            "span": [0, 4],
            "mask": {"size": [6, 8], "counts": [48]},
        }
    ]


def test_run_lengths_go_down_the_columns_and_start_with_zeros():
    mask = np.array([[True, False, True], [True, False, False]])
    assert run_lengths(mask) == [0, 2, 2, 1, 1]
    assert run_lengths(np.zeros((2, 2), dtype=bool)) == [4]


def test_merged_detections_keep_names_spans_and_the_best_score_first():
    merged = merge_detections([detections([0.6, 0.2]), detections([0.9, 0.4], name="car")])
    assert [(i.label, round(i.score, 1)) for i in merged.instances] == [
        ("car", 0.9),
        ("star", 0.6),
        ("car", 0.4),
        ("star", 0.2),
    ]
    assert merged.class_names == ("star", "car")
    assert merged.spans == ((0, 4), (0, 3))


def test_merging_an_empty_part_changes_nothing_but_the_numbers_of_the_groups():
    merged = merge_detections([detections([], masks=True), detections([0.9], name="car", masks=True)])
    assert merged.class_ids.tolist() == [1]
    assert merged.masks is not None and len(merged.masks) == 1


def test_parts_without_names_are_renumbered_by_their_class_ids():
    bare = Detections(
        boxes=np.zeros((1, 4), dtype=np.float32),
        scores=np.ones(1, dtype=np.float32),
        class_ids=np.array([3]),
        size_hw=(6, 8),
    )
    assert merge_detections([bare, bare]).class_ids.tolist() == [3, 7]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param([], r"detections of one picture, got sizes \[\]", id="none"),
        pytest.param([detections([]), detections([], size_hw=(4, 4))], r"got sizes \[\(4, 4\), \(6, 8\)\]", id="sizes"),
        pytest.param([detections([], masks=True), detections([])], "expected masks in all", id="masks"),
    ],
)
def test_parts_that_cannot_be_merged_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        merge_detections(parts)


def test_an_answer_is_a_turn_for_the_history_of_the_next_question():
    plain = Answer(text="Two.")
    routed = Answer(text="Yes, star.", parts=("Yes, ", Routed("star", "[DET]"), "."))
    assert plain.message == Message("assistant", ("Two.",))
    assert routed.message.parts[1] == Routed("star", "[DET]")
    assert routed.message.text == routed.text


def test_an_answer_is_json_with_and_without_detections():
    plain = json.loads(json.dumps(Answer(text="Two.", tokens=3).to_dict()))
    assert plain == {"text": "Two.", "finish_reason": "stop", "tokens": 3, "detections": None, "notices": []}
    assert Answer(text="", detections=detections([0.5])).to_dict()["detections"]["instances"][0]["label"] == "star"


def test_an_answer_without_results_renders_as_a_copy_of_the_picture():
    image = Image.new("RGB", (8, 6), "white")
    copy = Answer(text="No.").render(image)
    assert copy is not image
    assert copy.tobytes() == image.tobytes()


def test_detections_render_on_a_larger_copy_of_a_small_picture():
    image = Image.new("RGB", (8, 6), "white")
    drawn = Answer(text="star", detections=detections([0.5])).render(image)
    assert drawn.width > image.width
    assert image.getextrema() == ((255, 255),) * 3


def poses(**changes) -> Poses:
    return Poses(
        **{
            "boxes": np.array([[0, 0, 4, 5], [1, 1, 3, 3]], dtype=np.float32),
            "scores": np.array([0.75, 0.5], dtype=np.float32),
            "class_ids": np.array([1, 0]),
            "keypoints": np.array([[[1, 2], [3, 4.5]], [[2, 2], [2.5, 3]]], dtype=np.float32),
            "keypoint_scores": np.array([[0.5, 0.25], [1, 0]], dtype=np.float32),
            "size_hw": (6, 8),
            "class_names": ("cat", "dog"),
            "keypoint_names": ("nose", "tail"),
            "bones": ((0, 1),),
        }
        | changes
    )


def test_poses_say_their_space_and_every_keypoint_has_name_place_and_score():
    plain = json.loads(json.dumps(poses().to_dict()))
    assert plain["space"] == "xyxy pixels of the original image, x1 and y1 exclusive; keypoints x, y in the same pixels"
    assert plain["instances"][0] == {
        "label": "dog",
        "score": 0.75,
        "box": [0, 0, 4, 5],
        "keypoints": [
            {"name": "nose", "x": 1, "y": 2, "score": 0.5},
            {"name": "tail", "x": 3, "y": 4.5, "score": 0.25},
        ],
    }
    assert (plain["type"], plain["size_hw"], plain["bones"]) == ("poses", [6, 8], [[0, 1]])


def test_a_pose_carries_the_span_of_its_object():
    first, second = poses(spans=((0, 3), (5, 8))).instances
    assert (first.span, second.span) == ((5, 8), (0, 3))
    assert first.keypoints[1].name == "tail"
    assert first.to_dict()["span"] == [5, 8]


def test_without_names_poses_and_keypoints_are_called_by_their_number():
    plain = poses(class_names=(), keypoint_names=()).to_dict()
    assert plain["instances"][0]["label"] == "1"
    assert [k["name"] for k in plain["instances"][0]["keypoints"]] == ["0", "1"]


def test_poses_can_be_chosen():
    best = poses().select(np.array([1]))
    assert len(best) == 1
    assert best.instances[0].label == "cat"
    assert best.keypoints.tolist() == [[[2, 2], [2.5, 3]]]


def test_no_poses_are_no_error():
    nothing = poses().select(np.zeros(2, dtype=bool))
    assert nothing.to_dict()["instances"] == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"boxes": np.zeros((1, 4), dtype=np.float32)}, r"expected boxes \[N, 4\], scores", id="boxes"),
        pytest.param(
            {"class_ids": np.array([0, 2])}, r"expected class_ids in \[0, 2\), one of the class_names", id="ids"
        ),
        pytest.param({"keypoint_names": ("nose",)}, "expected 2 keypoint_names, one per keypoint, got 1", id="names"),
        pytest.param({"bones": ((0, 2),)}, r"expected bones between keypoints in \[0, 2\)", id="bones"),
    ],
)
def test_poses_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        poses(**wrong)


def test_poses_draw_themselves():
    picture = Image.new("RGB", (8, 6))
    assert poses().render(picture, scale=4).getextrema() != ((0, 0),) * 3


def generated(**changes: Any) -> GeneratedImages:
    pictures = (np.zeros((4, 6, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8))
    return GeneratedImages(**{"pictures": pictures, "seeds": (3, 4)} | changes)


def test_new_pictures_say_their_size_seed_and_words_and_come_as_png():
    plain = generated(labels=("a cat", "a dog"), spans=((0, 5), None), original_hw=(8, 12)).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert "whole original image" in plain["space"]
    first, second = plain["instances"]
    assert (first["label"], first["seed"], first["size_hw"], first["span"]) == ("a cat", 3, [4, 6], [0, 5])
    assert "span" not in second
    back = Image.open(BytesIO(base64.b64decode(second["png"])))
    np.testing.assert_array_equal(np.asarray(back), generated().pictures[1])


def test_pictures_from_nothing_name_no_original():
    plain = generated().to_dict()
    assert "original" not in plain["space"]
    assert plain["original_hw"] is None
    assert [instance["label"] for instance in plain["instances"]] == ["0", "1"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seeds": (1,)}, "expected 2 seeds, one per picture, got 1"),
        ({"seeds": ()}, "expected 2 seeds, one per picture, got 0"),
        ({"labels": ("a",)}, "expected 2 labels, one per picture, got 1"),
        ({"spans": (None,) * 3}, "expected 2 spans, one per picture, got 3"),
        ({"pictures": (np.zeros((4, 6), np.uint8),), "seeds": (1,)}, r"expected pictures uint8\[h, w, 3\], got uint8"),
        ({"pictures": (np.zeros((4, 6, 3)),), "seeds": (1,)}, r"got float64\[4, 6, 3\]"),
    ],
)
def test_new_pictures_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        generated(**wrong)


def test_new_pictures_draw_themselves():
    image = Image.new("RGB", (12, 8))
    canvas = Canvas(image, 2)
    generated(original_hw=(8, 12)).draw(canvas)
    assert canvas.image.width > 2 * 24
    assert generated(original_hw=(8, 12)).render(image, scale=2).size == canvas.image.size
