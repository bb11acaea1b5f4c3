"""The whole model beside the published one where it asks for poses: slots, results and losses."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.parity.golden import Golden, assert_close, sets
from tests.parity.test_full import Case, build, case_of
from visionllm.decoders.pose import PoseDecoder, PoseOutputs
from visionllm.types.skeletons import COCO_PERSON
from visionllm.types.tensors import PoseTargets, Queries

each_set = pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in sets("full")])


def posed(case: Case, hidden: Tensor) -> Queries:
    """Return the pose decoder's queries; these prompts name their one object by `[POSE]` too, and come first."""
    queries = case.model.super_link.gather(hidden, case.inputs())["pose"]
    return replace(queries, routes=tuple(("[DET]", *routes[1:]) for routes in queries.routes))


def assert_poses(case: Case, found: PoseOutputs) -> None:
    groups, keypoints = found.text_mask.shape[1], found.layers[-1].keypoints
    assert keypoints is not None
    assert torch.isneginf(case.expected["unipose.pred_logits"][..., groups:]).all()
    assert_close(found.logits, case.expected["unipose.pred_logits"][..., :groups], "logits")
    assert_close(found.boxes, case.expected["unipose.pred_boxes"], "boxes")


@each_set
@torch.no_grad()
def test_slots_reach_the_pose_decoder_and_find_the_published_poses(golden: Golden):
    model = build(golden)
    case = case_of(golden, "pose", model)
    images, decoder = case.images(), model.decoders["pose"]
    assert images is not None
    assert isinstance(decoder, PoseDecoder)
    queries = posed(case, model.states(case.inputs()))
    assert_close(queries.states[:, :1], case.expected["obj_querys"][:, :1], "object")
    named = queries.states.shape[1] - 1
    assert_close(queries.states[:, 1:], case.expected["kpt_querys"][:, :named], "keypoints")
    assert int(case.expected["kpt_query_masks"].sum()) == named
    found = decoder(queries, images)
    assert_poses(case, found)
    assert_close(found.layers[-1].keypoints, case.expected["unipose.pred_keypoints"][..., :136].unflatten(-1, (68, 2)))


@each_set
def test_a_training_step_with_poses_has_the_published_losses(golden: Golden):
    model = build(golden).train()
    case = case_of(golden, "pose_train", model)
    inputs, decoder = case.inputs(), model.decoders["pose"]
    assert inputs.images is not None
    assert inputs.labels is not None
    assert isinstance(decoder, PoseDecoder)
    hidden = model.states(inputs)
    target = pose_target(golden, case)
    found = decoder(posed(case, hidden), inputs.images, [target])
    assert_poses(case, found)
    terms = decoder.criterion(found, [target])
    for entry, name in (("ce", "class"), ("bbox", "box"), ("giou", "giou"), ("keypoints", "keypoints"), ("oks", "oks")):
        assert_close(terms[name], case.expected[f"unipose.loss_dict.loss_{entry}"], entry)
    loss = torch.stack([value * decoder.criterion.weight(name) for name, value in terms.items()]).sum()
    assert_close(loss, case.expected["loss_unipose"], "pose decoder's loss")
    text = model.text_loss(hidden, inputs.labels)
    assert text is not None
    assert_close(text + loss, case.expected["loss"], "loss")


def pose_target(golden: Golden, case: Case) -> PoseTargets:
    meta = golden.json("img_metas.json")["pose_train"][0]["kpt_id2index"]
    order = [int(keypoint) for keypoint, _ in sorted(meta.items(), key=lambda item: item[1])]
    flat = case.given["targets.0.keypoints"]
    return PoseTargets(
        boxes=case.given["targets.0.boxes"],
        class_ids=torch.zeros(len(flat), dtype=torch.long),
        keypoints=flat[:, :136].unflatten(1, (68, 2))[:, order],
        visible=flat[:, 136:][:, order].bool(),
        areas=case.given["targets.0.area"],
        sigmas=torch.tensor(COCO_PERSON.sigmas)[order],
    )
