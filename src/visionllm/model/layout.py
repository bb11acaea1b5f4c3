"""Where tokens stand and what they see: positions and masks of padded and packed rows."""

import torch
from torch import Tensor


def token_positions(attention_mask: Tensor) -> Tensor:
    """Count real tokens from 0; padding, on either side, gets the position of the nearest real token before it, or 0.

    Args:
        attention_mask: bool[B, T]. True on real tokens.

    Returns:
        int[B, T].

    >>> token_positions(torch.tensor([[False, True, True]]))
    tensor([[0, 0, 1]])
    """
    return (attention_mask.long().cumsum(-1) - 1).clamp_min(0)


def packed_positions(attention_mask: Tensor, turn_ids: Tensor) -> Tensor:
    """Count real tokens so that each turn k ≥ 1 goes on from the end of turn 0.

    Args:
        attention_mask: bool[B, T]. True on real tokens.
        turn_ids: int[B, T]. Each turn is one run.

    Returns:
        int[B, T].

    >>> packed_positions(torch.ones(1, 5, dtype=torch.bool), torch.tensor([[0, 1, 1, 2, 2]]))
    tensor([[0, 1, 2, 1, 2]])
    """
    positions = token_positions(attention_mask)
    begins = torch.ones_like(turn_ids, dtype=torch.bool)
    begins[:, 1:] = turn_ids[:, 1:] != turn_ids[:, :-1]
    begin = torch.where(begins, positions, 0).cummax(dim=-1).values
    shared = ((turn_ids == 0) & attention_mask.bool()).sum(-1, keepdim=True)
    return torch.where(turn_ids > 0, positions - begin + shared, positions)


def packed_mask(attention_mask: Tensor, turn_ids: Tensor, dtype: torch.dtype) -> Tensor:
    """Let each turn k ≥ 1 see turn 0 and itself, causally.

    Args:
        attention_mask: bool[B, T]. True on real tokens.
        turn_ids: int[B, T].
        dtype: Of the attention scores.

    Returns:
        float[B, 1, T, T]. 0 where token i (row) sees token j (column), the lowest number of `dtype` elsewhere. Padding
        sees itself, so that no row of the attention is empty.
    """
    same = (turn_ids[:, :, None] == turn_ids[:, None, :]) | (turn_ids[:, None, :] == 0)
    seen = (same & attention_mask.bool()[:, None, :]).tril()
    seen |= torch.eye(turn_ids.shape[1], dtype=torch.bool, device=turn_ids.device)
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]
