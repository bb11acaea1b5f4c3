"""The smallest thing that can be trained: a line through points."""

import torch
import torch.nn.functional as F
from torch import nn

from visionllm.training.stages import Stage

STEPS = 12


def stage(**changed):
    values = {
        "name": "line",
        "objective": "toy",
        "steps": STEPS,
        "pictures": 4,
        "rates": {"*": 0.1},
        "ema": 0.5,
        "warmup": 0.2,
    }
    return Stage(**(values | changed))


def line():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


class Points:
    """Points whose loss is finite unless their step is named."""

    def __init__(self, broken=()):
        self.broken = set(broken)

    def batch(self, index):
        x = torch.randn(4, 2, generator=torch.Generator().manual_seed(index))
        return index, x, x.sum(1, keepdim=True)

    def losses(self, module, batch):
        index, x, y = batch
        noise = torch.randn_like(y) * 0.1
        loss = F.mse_loss(module(x) + noise, y)
        return {"square": loss * (float("nan") if index in self.broken else 1.0)}

    def scores(self, module):
        assert not module.training
        return {"bias": float(module[2].bias.detach())}
