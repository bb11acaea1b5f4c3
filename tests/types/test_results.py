"""Detections, their instances, and merging."""

import json

import numpy as np
import pytest
from PIL import Image

from visionllm.types import Answer, Box, Detections, Instance, Mask, merge_detections, run_lengths


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


def test_detections_render_on_a_larger_copy_of_a_small_picture():
    image = Image.new("RGB", (8, 6), "white")
    drawn = Answer(text="star", detections=detections([0.5])).render(image)
    assert drawn.width > image.width
    assert image.getextrema() == ((255, 255),) * 3


def test_an_instance_is_a_region_of_the_next_question():
    mask = np.zeros((6, 8), bool)
    empty = Instance("star", 0.5, (1, 2, 3, 4), mask)
    assert empty.region == Instance("star", 0.5, (1, 2, 3, 4)).region == Box(1, 2, 3, 4)
    mask = mask | (np.arange(8) == 3)
    region = Instance("star", 0.5, (3, 0, 4, 6), mask).region
    assert isinstance(region, Mask) and region.pixels is mask
