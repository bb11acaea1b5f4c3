"""The encoder's own predictions: one box a token, and the tokens worth a query."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visionllm.nn.mlp import MLP
from visionllm.nn.pyramid import Pyramid


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposals:
    """A prediction from each encoder token.

    Attributes:
        states: float[B, S, D]. Normalised projections of the tokens, compared with the query groups.
        boxes: float32[B, S, 4]. Logits of (cx, cy, w, h).
        usable: bool[B, S]. True on real tokens whose prior box lies inside the picture.
    """

    states: Tensor
    boxes: Tensor
    usable: Tensor


class ProposalHead(nn.Module):
    """Predicts a box from every encoder token, as a correction of a prior box around its centre.

    Args:
        width: Width D.

    Source: DINO, arXiv:2203.03605, section 3.4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.box_head = MLP([width, width, width, 4])
        nn.init.zeros_(self.box_head.layers[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.box_head.layers[-1].bias)  # pyright: ignore[reportArgumentType]

    def forward(self, memory: Tensor, pyramid: Pyramid) -> Proposals:
        """Predict from float[B, S, D] encoder tokens."""
        centres = pyramid.centres
        extents = [0.05 * 2.0**i for i, (h, w) in enumerate(pyramid.shapes) for _ in range(h * w)]
        extent = torch.tensor(extents, dtype=centres.dtype, device=centres.device)
        prior = torch.cat([centres, extent[None, :, None].expand_as(centres)], dim=-1)
        usable = pyramid.mask & ((prior > 0.01) & (prior < 0.99)).all(-1)
        prior = torch.where(usable.unsqueeze(-1), prior, 0.5)
        states = self.norm(self.project(memory.masked_fill(~usable.unsqueeze(-1), 0)))
        return Proposals(states=states, boxes=self.box_head(states).float() + torch.logit(prior), usable=usable)


def best_tokens(scores: Tensor, usable: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Choose the tokens with the highest scores among the usable ones.

    Args:
        scores: float[B, S].
        usable: bool[B, S].
        count: How many to choose, N.

    Returns:
        int[B, N], best first, and bool[B, N]: False where a picture has fewer than N usable tokens; those places name
        the first token and must be ignored.

    >>> best_tokens(torch.tensor([[0.1, 0.9, 0.5]]), torch.tensor([[True, False, True]]), 3)
    (tensor([[2, 0, 0]]), tensor([[ True,  True, False]]))
    """
    ranked = scores.masked_fill(~usable, -torch.inf)
    index = ranked.topk(min(count, scores.shape[1]), dim=1).indices
    real = usable.gather(1, index)
    missing = count - index.shape[1]
    index = torch.nn.functional.pad(index, (0, missing))
    real = torch.nn.functional.pad(real, (0, missing))
    return index.masked_fill(~real, 0), real
