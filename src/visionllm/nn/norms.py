"""Normalisation of feature maps."""

import torch
from torch import Tensor, nn


class MapNorm(nn.GroupNorm):
    """Normalisation in 32 groups of channels, of maps float[N, C, H, W].

    Unlike torch's, it takes a map of one cell with one channel a group, which becomes the bias: a tiny picture on a
    coarse level is no error.

    >>> MapNorm(32)(torch.ones(1, 32, 1, 1)).abs().max().item()
    0.0
    """

    def __init__(self, channels: int) -> None:
        super().__init__(32, channels)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that `nn.GroupNorm` gave it
        """Return float[N, C, H, W]."""
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of maps float[N, C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that `nn.LayerNorm` gave it
        """Return float[N, C, H, W]."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
