import torch

from tests.tiny import DET, DET_SLOTS, PATCH, POSE, POSE_SLOTS, REGION, VOCABULARY, tiny_config
from visionllm.super_link import SlotForcing


def test_each_row_gets_the_slot_that_its_last_id_asks_for():
    forcing = SlotForcing(tiny_config())
    last = [DET, *DET_SLOTS[:3], POSE, POSE_SLOTS[0]]
    scores = forcing(torch.tensor([[1, token] for token in last]), torch.randn(len(last), VOCABULARY + 8))
    assert scores.argmax(-1).tolist() == [*DET_SLOTS, POSE_SLOTS[0], POSE_SLOTS[1]]
    assert scores.max(-1).values.tolist() == [0.0] * len(last)
    assert scores.isfinite().sum(-1).tolist() == [1] * len(last)


def test_rows_that_owe_nothing_keep_their_scores():
    forcing = SlotForcing(tiny_config())
    given = torch.randn(3, VOCABULARY + 8)
    scores = forcing(torch.tensor([[DET, 5], [5, DET_SLOTS[3]], [5, POSE_SLOTS[3]]]), given)
    text = [i for i in range(VOCABULARY) if i not in (PATCH, REGION)]
    assert torch.equal(scores[:, text], given[:, text])


def test_ids_that_only_a_prompt_may_hold_are_forbidden():
    scores = SlotForcing(tiny_config(never_sampled_ids=[7]))(torch.tensor([[5]]), torch.zeros(1, VOCABULARY + 8))
    assert (scores[0] == float("-inf")).nonzero().flatten().tolist() == [7, PATCH, REGION]


def test_it_tells_whether_a_slot_must_follow():
    forcing = SlotForcing(tiny_config())
    assert [forcing.owes(token) for token in (DET, DET_SLOTS[2], DET_SLOTS[3], 5)] == [True, True, False, False]
