from dataclasses import replace

import pytest
import torch

from tests.decoders.pose.test_decoder import config, decoder, pictures, target, units
from visionllm.config.quirks import Quirks
from visionllm.decoders.pose.criterion import PoseCriterion, PoseTruths
from visionllm.decoders.pose.outputs import PoseOutputs

QUERIES = units("DPP", "DPPP", images=[0, 0])


def outputs() -> PoseOutputs:
    with torch.no_grad():
        return decoder()(QUERIES, pictures([(64, 96)]))


def judge(**changes) -> PoseCriterion:
    return PoseCriterion(config(**changes), Quirks())


def test_truths_are_joined_and_padded():
    truths = PoseTruths.of([target(2), target(3)], torch.tensor([[True, True, False], [True] * 3]))
    assert truths.visible.tolist() == [[True, False, False], [True, False, True]]
    assert truths.asked.tolist() == [[True, True, False], [True, True, True]]
    assert truths.sigmas[0].tolist() == pytest.approx([0.1, 0.1, 1.0])
    assert not truths.keypoints[0, 1].any(), "hidden keypoints count nowhere"


def test_layers_without_keypoints_have_no_terms_of_them():
    terms = judge()(outputs(), [target(2), target(3)])
    assert {"keypoints", "oks", "visible", "keypoints_1", "class_0", "class_encoder"} <= terms.keys()
    assert not {"keypoints_0", "oks_0", "keypoints_encoder"} & terms.keys()
    assert judge(keypoint_weight=7.0).weight("keypoints_1") == 7


def test_a_right_pose_costs_least():
    said = outputs()
    last = said.layers[-1]
    assert last.keypoints is not None
    truth = target(2)
    there = last.keypoints[0, 3, :2][None].clone()
    truth = replace(truth, keypoints=there, visible=torch.ones(1, 2, dtype=torch.bool))
    truths = PoseTruths.of([truth, target(3)], said.keypoint_mask)
    judged = judge(class_cost=0.0, box_cost=0.0, giou_cost=0.0)
    assert judged.match(last, truths).queries[0] == 3
    assert judged.costs(last, truths)[0][3].item() == pytest.approx(0, abs=1e-5)


def test_no_truth_at_all_teaches_that_there_is_nothing():
    names = ("boxes", "class_ids", "areas", "keypoints", "visible")
    nothing = [replace(t, **{name: getattr(t, name)[:0] for name in names}) for t in (target(2), target(3))]
    terms = judge()(outputs(), nothing)
    assert terms["class"] > 0
    assert "keypoints" not in terms
    assert "class" not in PoseCriterion(config(), Quirks.published())(outputs(), nothing)


def test_hidden_keypoints_teach_the_score_only():
    said = outputs()
    hidden = [replace(t, visible=torch.zeros_like(t.visible)) for t in (target(2), target(3))]
    terms = judge()(said, hidden)
    assert terms["keypoints"] == 0
    assert terms["visible"] > 0
