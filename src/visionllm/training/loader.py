"""Batches made ahead by worker processes, in step order."""

import os
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from visionllm.training.objectives import Objective


class _Steps(Dataset[Any]):
    """Batch k of an objective as item k."""

    def __init__(self, objective: Objective, first: int, last: int) -> None:
        self.objective, self.first, self.last = objective, first, last

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, item: int) -> Any:
        return self.objective.batch(self.first + item)


def _settle(_: int) -> None:
    """Let a worker run on any core, one thread."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def batches(objective: Objective, first: int, last: int, *, workers: int) -> Iterator[Any]:
    """Yield the batches of steps `first` to `last` − 1; with workers they are made ahead in other processes."""
    loader = DataLoader(
        _Steps(objective, first, last),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_settle,
        prefetch_factor=4 if workers else None,
    )
    yield from loader
