"""Batches made ahead by worker processes, in step order."""

import os
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from visionllm.training.objectives import Objective


class ShareOfSteps:
    """The batches of one of several processes: step k of process r is batch k · processes + r of the objective.

    Args:
        objective: Makes the batches.
        rank: Number of this process.
        processes: How many there are.
    """

    def __init__(self, objective: Objective, rank: int, processes: int) -> None:
        self.objective, self.rank, self.processes = objective, rank, processes

    def batch(self, index: int) -> Any:
        """Make this process's batch of step `index`."""
        return self.objective.batch(index * self.processes + self.rank)


class Batches(Protocol):
    """What makes the batch of a step."""

    def batch(self, index: int) -> Any:
        """Make the batch of step `index`."""
        ...


class _Steps(Dataset[Any]):
    """Batch k of an objective as item k."""

    def __init__(self, objective: Batches, first: int, last: int) -> None:
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


def batches(objective: Batches, first: int, last: int, *, workers: int) -> Iterator[Any]:
    """Yield the batches of steps `first` to `last` − 1; with workers they are made ahead in other processes."""
    loader = DataLoader(
        _Steps(objective, first, last),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_settle,
        prefetch_factor=4 if workers else None,
    )
    yield from loader
