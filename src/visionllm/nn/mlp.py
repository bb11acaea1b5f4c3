"""Stacks of linear layers."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with a ReLU between each two.

    Args:
        widths: Width of the input, of every hidden layer, and of the output.

    >>> import torch
    >>> MLP([8, 16, 4])(torch.zeros(2, 8)).shape
    torch.Size([2, 4])
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map float[..., first width] to float[..., last width]."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class FeedForward(nn.Module):
    """A residual block of two linear layers, normalised afterwards.

    Args:
        width: Width of input and output.
        hidden: Width between.
        dropout: Rate after the activation and before the sum.
    """

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map float[..., D] to float[..., D]."""
        update = self.contract(self.dropout(F.relu(self.expand(x))))
        return self.norm(x + self.dropout(update))
