"""Random numbers through one object, so that they can be seeded or replayed."""

import torch
from torch import Tensor


class Draws:
    """Random numbers of a training step.

    Args:
        generator: Where they come from, on the device of the tensors; None means torch's global generator.

    >>> Draws(torch.Generator().manual_seed(0)).uniform((2,), torch.device("cpu"))
    tensor([0.4963, 0.7682])
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = generator

    def uniform(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return float[shape], uniform in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=device)

    def integers(self, high: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return int[shape], uniform in [0, high)."""
        return torch.randint(high, shape, generator=self.generator, device=device)

    def normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return float[shape], normal with mean 0 and deviation 1."""
        return torch.randn(shape, generator=self.generator, device=device)
