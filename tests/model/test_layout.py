import torch

from visionllm.model.layout import packed_mask, packed_positions, token_positions


def test_real_tokens_are_counted_from_zero_whichever_side_is_padded():
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]).bool()
    assert token_positions(mask).tolist() == [[0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 2, 3]]


def test_packed_turns_go_on_from_the_end_of_turn_zero():
    turns = torch.tensor([[0, 0, 1, 1, 2, 3, 3], [1, 1, 2, 0, 0, 0, 0]])
    mask = torch.tensor([[1] * 7, [1, 1, 1, 0, 0, 0, 0]]).bool()
    assert packed_positions(mask, turns)[0].tolist() == [0, 1, 2, 3, 2, 2, 3]
    assert packed_positions(mask, turns)[1, :3].tolist() == [0, 1, 0]


def test_packed_positions_skip_padding_on_the_left():
    turns = torch.tensor([[0, 0, 0, 1, 2]])
    assert packed_positions(torch.tensor([[False, True, True, True, True]]), turns)[0, 1:].tolist() == [0, 1, 2, 2]


def test_a_packed_turn_sees_turn_zero_and_itself_causally():
    mask = torch.tensor([[1, 1, 1, 1, 0]]).bool()
    seen = packed_mask(mask, torch.tensor([[0, 1, 1, 2, 0]]), torch.float32)
    assert seen.shape == (1, 1, 5, 5)
    assert (seen[0, 0] == 0).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0],
        [1, 0, 0, 0, 1],
    ]
    assert seen.min() == torch.finfo(torch.float32).min
