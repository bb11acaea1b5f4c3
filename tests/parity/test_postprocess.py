"""Raw outputs become the published boxes, masks, semantic maps, prompt masks and poses."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.parity.golden import Golden, assert_close, sets
from visionllm.config import Quirks
from visionllm.decoders.base.outputs import TokenPrediction
from visionllm.decoders.detection import DetectionOutputs, Prediction
from visionllm.decoders.detection.postprocess import class_maps, detections
from visionllm.decoders.pose import PoseOutputs, PosePrediction
from visionllm.decoders.pose.postprocess import poses
from visionllm.types.requests import Options
from visionllm.types.results import Detections
from visionllm.types.tensors import ImageBatch, Queries

BORDER_PIXELS = 1e-3
each_case = pytest.mark.parametrize(
    ("golden", "case"),
    [pytest.param(g, c, id=f"{g}-{c['prefix']}") for g in sets("postprocess") for c in g.json("cases.json")["gdino"]],
)


each_border = pytest.mark.parametrize("past_border", [False, True], ids=["ours", "published"])


def tensors(golden: Golden, case: dict[str, Any]) -> dict[str, Tensor]:
    prefix = case["prefix"]
    stored = golden.tensors("tensors.safetensors")
    return {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}


def said(t: dict[str, Tensor], case: dict[str, Any]) -> tuple[DetectionOutputs, ImageBatch]:
    """Return golden outputs as ours; the mask embeddings pick the golden mask logits one by one."""
    batch, queries, groups = *t["pred_boxes"].shape[:2], case["num_classes"]
    last = Prediction(
        logits=t["logits"][..., :groups],
        boxes=t["pred_boxes"],
        masks=torch.eye(queries).expand(batch, -1, -1),
        valid=torch.ones(batch, queries, dtype=torch.bool),
    )
    empty = torch.zeros(batch, 0, groups)
    outputs = DetectionOutputs(
        layers=(last,),
        encoder=last,
        tokens=TokenPrediction(logits=empty, centres=empty, mask=empty.bool()),
        noisy=(),
        noise=None,
        text_mask=torch.ones(batch, groups, dtype=torch.bool),
        mask_features=t["pred_masks"],
        pixels_hw=torch.tensor(t["pred_masks"].shape[2:]).expand(batch, 2),
        stride=case["mask_stride"],
        states=(),
        guides=(),
        first_boxes=last.boxes,
        vision=empty,
        text=empty,
    )
    height, width = case["padded_size"]
    images = ImageBatch(
        pixel_values=torch.zeros(batch, 3, height, width),
        pixel_mask=torch.ones(batch, height, width, dtype=torch.bool),
        sizes_hw=torch.tensor([size[:2] for size in case["target_sizes"]]),
        resized_hw=torch.tensor([size[:2] for size in case["image_sizes"]]),
    )
    return outputs, images


def found(
    t: dict[str, Tensor], case: dict[str, Any], options: Options, threshold: float = 0.0, *, past_border: bool = False
) -> list[Detections]:
    """Post-process golden outputs."""
    outputs, images = said(t, case)
    batch, groups = outputs.text_mask.shape
    index = torch.arange(batch)
    units = Queries(
        states=torch.zeros(batch, groups, 1, 1),
        mask=outputs.text_mask,
        images=index,
        rows=index,
        turns=index,
        positions=torch.zeros(batch, groups, dtype=torch.long),
        routes=(("[DET]",) * groups,) * batch,
    )
    return detections(outputs, units, images, options, threshold, past_border=past_border)


def inside(boxes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Cut at the border of the picture, which the published code does not."""
    height, width = size_hw
    return torch.minimum(boxes.clamp(min=0), torch.tensor([width, height, width, height]))


def assert_same(result: Detections, t: dict[str, Tensor], name: str, *, past_border: bool = False) -> None:
    boxes = t[f"{name}.boxes"]
    assert torch.equal(torch.from_numpy(result.class_ids), t[f"{name}.labels"])
    assert_close(torch.from_numpy(result.scores), t[f"{name}.scores"], "scores")
    assert_close(torch.from_numpy(result.boxes), boxes if past_border else inside(boxes, result.size_hw), "boxes")


def assert_same_masks(result: Detections, masks: Tensor) -> None:
    assert result.masks is not None
    differ = torch.from_numpy(result.masks) != masks.bool()
    assert not differ.numel() or differ.float().mean() <= BORDER_PIXELS


@each_case
@each_border
def test_boxes_above_a_threshold(golden, case, past_border):
    t = tensors(golden, case)
    for threshold in case["det_thresholds"]:
        options = Options(max_instances=case["topk"], masks=False)
        for b, result in enumerate(found(t, case, options, threshold, past_border=past_border)):
            assert_same(result, t, f"det_thr{threshold}.{b}", past_border=past_border)


@each_case
@pytest.mark.parametrize("kind", ["instseg", "sod_top1"])
def test_masks_of_instances(golden, case, kind):
    t = tensors(golden, case)
    options = Options(max_instances=case["topk"] if kind == "instseg" else 1)
    for b, result in enumerate(found(t, case, options)):
        assert_same(result, t, f"{kind}.{b}")
        assert_same_masks(result, t[f"{kind}.{b}.masks"])


@each_case
def test_the_best_instance_of_each_prompt(golden, case):
    t = tensors(golden, case)
    count = len(case["prompt_found"])
    options = Options(protocol="published", candidates=case["prompt_topk"], max_per_class=1, max_instances=count)
    result = found(t, case, options)[0]
    assert set(result.class_ids.tolist()) == {group for group, there in enumerate(case["prompt_found"]) if there}
    for group, there in enumerate(case["prompt_found"]):
        if there:
            best = result.select(result.class_ids == group)
            assert_close(torch.from_numpy(best.scores), t["prompt.scores"][group, None], "score")
            assert_close(torch.from_numpy(best.boxes), inside(t["prompt.boxes"][group, None], result.size_hw), "box")
            assert_same_masks(best, t["prompt.masks"][group, None])


@each_case
@pytest.mark.parametrize("variant", ["before", "after"])
def test_semantic_maps(golden, case, variant):
    t = tensors(golden, case)
    for b, (classes, _) in enumerate(class_maps(*said(t, case))):
        expected = t[f"semseg_{variant}.{b}"]
        assert classes.shape == expected.shape
        assert (classes != expected).float().mean() <= BORDER_PIXELS


@pytest.mark.parametrize(
    ("golden", "case"),
    [pytest.param(g, c, id=f"{g}-{c['prefix']}") for g in sets("postprocess") for c in g.json("cases.json")["pose"]],
)
@pytest.mark.parametrize("quirks", [Quirks(), Quirks.published()], ids=["ours", "published"])
def test_poses_above_a_threshold(golden, case, quirks):
    t = tensors(golden, case)
    units, groups, named = case["batch"], case["num_classes"], case["num_body_points"]
    places = t["pred_keypoints"][..., : 2 * named].unflatten(-1, (named, 2))
    last = PosePrediction(
        logits=t["pred_logits"][..., :groups],
        boxes=t["pred_boxes"],
        valid=torch.ones(t["pred_boxes"].shape[:2], dtype=torch.bool),
        keypoints=places,
    )
    empty = torch.zeros(units, 0, groups)
    outputs = PoseOutputs(
        layers=(last,),
        encoder=last,
        tokens=TokenPrediction(logits=empty, centres=empty, mask=empty.bool()),
        noisy=(),
        noise=None,
        text_mask=torch.ones(units, groups, dtype=torch.bool),
        states=(),
        guides=(),
        first_boxes=last.boxes,
        vision=empty,
        text=empty,
        keypoint_mask=torch.ones(units, named, dtype=torch.bool),
    )
    sizes = torch.tensor([size[:2] for size in case["target_sizes"]])
    images = ImageBatch(
        pixel_values=torch.zeros(units, 3, 8, 8),
        pixel_mask=torch.ones(units, 8, 8, dtype=torch.bool),
        sizes_hw=sizes,
        resized_hw=sizes,
    )
    labels = torch.tensor([case["id_mapping"][str(group)] for group in range(groups)])
    for threshold in case["thresholds"]:
        results = poses(outputs, images, Options(max_instances=case["topk"]), threshold, quirks)
        for b, result in enumerate(results):
            name = f"pose_thr{threshold}.{b}"
            assert torch.equal(labels[torch.from_numpy(result.class_ids)], t[f"{name}.labels"])
            assert_close(torch.from_numpy(result.scores), t[f"{name}.scores"], "scores")
            boxes = t[f"{name}.boxes"]
            boxes = boxes if quirks.boxes_past_border else inside(boxes, result.size_hw)
            assert_close(torch.from_numpy(result.boxes), boxes, "boxes")
            published = t[f"{name}.keypoints"].unflatten(1, (named, 3))
            assert_close(torch.from_numpy(result.keypoints), published[..., :2], "keypoints")
            if quirks.keypoints_surely_seen:
                assert_close(torch.from_numpy(result.keypoint_scores), published[..., 2], "visibility")
