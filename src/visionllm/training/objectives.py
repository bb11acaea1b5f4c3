"""What a stage learns: an objective makes batches and turns them into losses."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn


class Objective(Protocol):
    """Batches and losses of one stage.

    `batch` is a pure function of its index: a run can be resumed at any step, and workers can make batches ahead.
    """

    def batch(self, index: int) -> Any:
        """Make the batch of step `index`: tensors on the CPU."""
        ...

    def losses(self, module: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Return float[] scalars, one per loss term, already weighted; their sum is minimised."""
        ...

    def scores(self, module: nn.Module) -> Mapping[str, float]:
        """Measure the module on the validation split."""
        ...
