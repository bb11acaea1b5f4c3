"""Box arithmetic, losses and the detector's matcher give the published numbers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.parity.golden import Golden, assert_close, sets
from visionllm.config.detection import DetectionConfig
from visionllm.config.pose import PoseConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.outputs import TokenPrediction
from visionllm.decoders.detection.criterion import DetectionCriterion, Truths
from visionllm.decoders.detection.outputs import DetectionOutputs, Prediction
from visionllm.decoders.pose.criterion import PoseCriterion, PoseTruths
from visionllm.decoders.pose.outputs import PoseOutputs, PosePrediction
from visionllm.ops.boxes import generalised_iou, inverse_sigmoid, iou, to_centres, to_corners
from visionllm.ops.draws import Draws
from visionllm.ops.keypoints import object_keypoint_similarity, oks_loss
from visionllm.ops.losses import dice_loss, focal_loss, mask_loss
from visionllm.ops.masks import sample_points
from visionllm.types.tensors import DetectionTargets, PoseTargets

SETS = sets("box_and_loss_ops")
NAMES = {"class": "loss_ce", "box": "loss_bbox", "giou": "loss_giou", "mask": "loss_mask", "dice": "loss_dice"}
each_set = pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in SETS])
each_loss = pytest.mark.parametrize(
    ("golden", "case"),
    [pytest.param(g, c, id=f"{g}-{c['prefix']}") for g in SETS for c in g.json("cases.json")["gdino_loss"]],
)


def tensors(golden: Golden) -> dict[str, Tensor]:
    return golden.tensors("tensors.safetensors")


@each_set
def test_box_formats(golden):
    t = tensors(golden)
    for box in ("a", "b"):
        assert_close(to_corners(t[f"box.{box}_cxcywh"]), t[f"box.{box}_xyxy"], box)
    assert_close(to_centres(t["box.a_xyxy"]), t["box.a_back_cxcywh"], "back")


@each_set
@pytest.mark.parametrize(("suffix", "eps"), [("", 0.0), ("_unipose", 1e-6)], ids=["detector", "pose"])
def test_overlaps(golden, suffix, eps):
    t = tensors(golden)
    a, b = t["box.a_xyxy"][:, None], t["box.b_xyxy"][None]
    assert_close(iou(a, b, eps=eps), t[f"box.iou{suffix}"], "iou")
    assert_close(generalised_iou(a, b, eps=eps), t[f"box.giou{suffix}"], "giou")
    areas = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    assert_close(sum(areas, torch.zeros(())) / (1 + iou(a, b)), t["box.union"], "union")
    a, b = t["box.zero_a_xyxy"][:, None], t["box.zero_b_xyxy"][None]
    assert_close(generalised_iou(a, b, eps=eps), t[f"box.zero_giou{suffix or '_gdino'}"], "zero-size boxes")


@each_set
@pytest.mark.parametrize(("branch", "eps"), [("gdino", 1e-5), ("unipose", 1e-3)])
def test_inverse_sigmoid(golden, branch, eps):
    t = tensors(golden)
    assert_close(inverse_sigmoid(t["inverse_sigmoid.x"], eps), t[f"inverse_sigmoid.{branch}"])


@each_set
def test_focal_loss(golden):
    t = tensors(golden)
    real = t["focal.text_mask"].bool()
    width = real.shape[1]
    chosen = real[:, None].expand(-1, t["focal.logits"].shape[1], -1)
    logits, targets = t["focal.logits"][..., :width], t["focal.targets"][..., :width]
    elements = focal_loss(logits, targets)[chosen]
    assert_close(elements, t["focal.elements"], "elements")
    assert_close(elements.sum(), t["focal.sum"], "sum")
    assert_close(elements.sum(), t["focal.sum_unipose"], "sum of the pose branch")
    other = focal_loss(logits, targets, alpha=0.5, gamma=1.0)[chosen]
    assert_close(other.sum(), t["focal.sum_alpha0.5_gamma1"], "other settings")


@each_set
def test_mask_losses(golden):
    t = tensors(golden)
    logits, labels = t["mask.point_logits"], t["mask.point_labels"]
    assert_close(dice_loss(logits, labels).sum() / 4, t["mask.dice_num4"], "dice")
    assert_close(mask_loss(logits, labels).sum() / 4, t["mask.bce_num4"], "cross entropy")


@each_set
def test_point_samples(golden):
    t = tensors(golden)
    sampled = sample_points(t["point_sample.input"], t["point_sample.coords_xy"])
    assert_close(sampled, t["point_sample.output"])


class StoredDraws(Draws):
    """Replays uniform draws."""

    def __init__(self, stored: list[Tensor]) -> None:
        super().__init__()
        self.stored = iter(stored)

    def uniform(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        value = next(self.stored)
        assert tuple(value.shape) == shape
        return value


def outputs(t: dict[str, Tensor], case: dict[str, Any]) -> DetectionOutputs:
    """Wrap golden predictions; the mask embeddings pick the golden mask logits one by one."""
    p = case["prefix"]
    text_mask = t[f"{p}text_query_masks"].bool()
    units, queries = t[f"{p}pred_boxes"].shape[:2]
    prediction = Prediction(
        logits=t[f"{p}logits"][..., : text_mask.shape[1]],
        boxes=t[f"{p}pred_boxes"],
        masks=torch.eye(queries).expand(units, -1, -1),
        valid=torch.ones(units, queries, dtype=torch.bool),
    )
    features = t.get(f"{p}pred_masks", torch.zeros(units, queries, 1, 1))
    empty = torch.zeros(units, 0, text_mask.shape[1])
    return DetectionOutputs(
        layers=(prediction,),
        encoder=prediction,
        tokens=TokenPrediction(logits=empty, centres=empty, mask=empty.bool()),
        noisy=(),
        noise=None,
        text_mask=text_mask,
        mask_features=features,
        pixels_hw=torch.tensor(features.shape[2:]).expand(units, 2),
        stride=4,
        states=(),
        guides=(),
        first_boxes=prediction.boxes,
        vision=empty,
        text=empty,
    )


def targets(t: dict[str, Tensor], case: dict[str, Any]) -> list[DetectionTargets]:
    p = case["prefix"]
    return [
        DetectionTargets(
            boxes=t[f"{p}target.{b}.boxes"],
            class_ids=t[f"{p}target.{b}.class_labels"],
            masks=t[f"{p}target.{b}.mask_labels"].bool() if case["with_masks"] else None,
        )
        for b in range(case["batch"])
    ]


def criterion(case: dict[str, Any]) -> DetectionCriterion:
    config = DetectionConfig(
        class_cost=case["class_cost"],
        box_cost=case["bbox_cost"],
        giou_cost=case["giou_cost"],
        mask_points=case["num_points"],
        mask_oversample=case["oversample_ratio"],
        mask_importance=case["importance_sample_ratio"],
    )
    return DetectionCriterion(config, Quirks.published())


@each_loss
def test_costs_and_assignments(golden, case):
    t = tensors(golden)
    said = outputs(t, case)
    truths = Truths.of(targets(t, case), said)
    judge = criterion(case)
    for b, cost in enumerate(judge.costs(said.layers[0], truths)):
        assert_close(cost, t[f"{case['prefix']}match.{b}.cost"], f"cost {b}")
    pairs = judge.match(said.layers[0], truths)
    start = 0
    for b, count in enumerate(truths.counts):
        chosen = pairs.units == b
        assert torch.equal(pairs.queries[chosen], t[f"{case['prefix']}match.{b}.pred"])
        assert torch.equal(pairs.truths[chosen] - start, t[f"{case['prefix']}match.{b}.target"])
        start += count


@each_loss
def test_losses(golden, case):
    t = tensors(golden)
    p = case["prefix"]
    draws = [t[f"{p}rand.{i}"] for i in range(len(case["rand_calls"]))]
    # the encoder's prediction is scored with the same draws, after the last layer's
    terms = criterion(case)(outputs(t, case), targets(t, case), StoredDraws(draws * 2))
    for ours, theirs in NAMES.items():
        if theirs in case["losses"]:
            assert_close(terms[ours], t[f"{p}loss.{theirs}"], theirs)
            assert terms[ours].item() == pytest.approx(case["losses"][theirs], rel=1e-4)


@each_loss
def test_mask_points(golden, case):
    if not case["with_masks"]:
        return
    t = tensors(golden)
    p = case["prefix"]
    said = outputs(t, case)
    judge = criterion(case)
    pairs = judge.match(said.layers[0], Truths.of(targets(t, case), said))
    logits = t[f"{p}pred_masks"][pairs.units, pairs.queries].unsqueeze(1)
    points = judge.points(logits, torch.ones(len(logits), 2), StoredDraws([t[f"{p}rand.0"], t[f"{p}rand.1"]]))
    assert_close(points, t[f"{p}mask_point_coords"])


each_pose_loss = pytest.mark.parametrize(
    ("golden", "case"),
    [pytest.param(g, c, id=f"{g}-{c['prefix']}") for g in SETS for c in g.json("cases.json")["unipose_loss"]],
)


@each_set
def test_object_keypoint_similarity(golden):
    t = tensors(golden)
    given = t["oks.pred"].unflatten(1, (-1, 2)), t["oks.gt"].unflatten(1, (-1, 2)), t["oks.valid"].bool(), t["oks.area"]
    sigmas = t["oks.sigmas"]
    assert_close(object_keypoint_similarity(*given, sigmas), t["oks.overlaps"], "overlaps")
    assert_close(oks_loss(*given, sigmas), t["oks.loss_linear_none"], "loss")


def pose_case(t: dict[str, Tensor], case: dict[str, Any]) -> tuple[PoseOutputs, list[PoseTargets], PoseCriterion]:
    p, units = case["prefix"], case["batch"]
    text_mask = t[f"{p}text_query_masks"].bool()
    places = t[f"{p}pred_keypoints"][..., :136].unflatten(-1, (68, 2))
    prediction = PosePrediction(
        logits=t[f"{p}pred_logits"][..., : text_mask.shape[1]],
        boxes=t[f"{p}pred_boxes"],
        valid=torch.ones(t[f"{p}pred_boxes"].shape[:2], dtype=torch.bool),
        keypoints=None if case["zero_keypoints"] else places,
    )
    empty = torch.zeros(units, 0, 1)
    outputs = PoseOutputs(
        layers=(prediction,),
        encoder=prediction,
        tokens=TokenPrediction(logits=empty, centres=empty, mask=empty.bool()),
        noisy=(),
        noise=None,
        text_mask=text_mask,
        states=(),
        guides=(),
        first_boxes=prediction.boxes,
        vision=empty,
        text=empty,
        keypoint_mask=torch.ones(units, 68, dtype=torch.bool),
    )
    truths = [
        PoseTargets(
            boxes=t[f"{p}target.{b}.boxes"],
            class_ids=t[f"{p}target.{b}.class_labels"],
            keypoints=t[f"{p}target.{b}.keypoints"][:, :136].unflatten(1, (68, 2)),
            visible=t[f"{p}target.{b}.keypoints"][:, 136:].bool(),
            areas=t[f"{p}target.{b}.area"],
            sigmas=t["oks.sigmas"],
        )
        for b in range(units)
    ]
    config = PoseConfig(
        class_cost=case["cost_class"],
        box_cost=case["cost_bbox"],
        giou_cost=case["cost_giou"],
        keypoint_cost=case["cost_keypoints"],
        oks_cost=case["cost_oks"],
    )
    return outputs, truths, PoseCriterion(config, Quirks.published())


@each_pose_loss
def test_costs_and_assignments_of_poses(golden, case):
    t = tensors(golden)
    said, wanted, judge = pose_case(t, case)
    truths = PoseTruths.of(wanted, said.keypoint_mask)
    for b, cost in enumerate(judge.costs(said.layers[0], truths)):
        assert_close(cost, t[f"{case['prefix']}match.{b}.cost"], f"cost {b}")
    pairs = judge.match(said.layers[0], truths)
    start = 0
    for b, count in enumerate(truths.counts):
        chosen = pairs.units == b
        assert torch.equal(pairs.queries[chosen], t[f"{case['prefix']}match.{b}.pred"])
        assert torch.equal(pairs.truths[chosen] - start, t[f"{case['prefix']}match.{b}.target"])
        start += count


@each_pose_loss
def test_losses_of_poses(golden, case):
    t = tensors(golden)
    said, wanted, judge = pose_case(t, case)
    terms = judge(said, wanted)
    for ours, theirs in (*list(NAMES.items())[:3], ("keypoints", "loss_keypoints"), ("oks", "loss_oks")):
        if theirs in case["losses"] and ours in terms:
            assert_close(terms[ours], t[f"{case['prefix']}loss.{theirs}"], theirs)
