"""What every task decoder can do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

from visionllm.types.requests import Options
from visionllm.types.results import Result
from visionllm.types.tensors import ImageBatch, Queries, Route

TargetT = TypeVar("TargetT")


class Decoder(nn.Module, ABC, Generic[TargetT]):
    """Turns the query groups of one task family into results.

    A decoder sees queries and pixels, never text, token ids or the tokenizer.
    """

    routes: ClassVar[tuple[Route, ...]]
    waits: ClassVar[bool] = False
    """Whether the constructor takes `stored`, the shapes of weights in a file, so that parts wait for their use."""
    reads: ClassVar[tuple[str, ...] | None] = None
    """Names of the options that `decode` reads, so that requests which differ in others only are decoded together; None
    means that it may read all."""

    @abstractmethod
    def loss(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[TargetT],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Return float[] scalars, one per loss term, already weighted.

        Args:
            queries: U units.
            images: The pictures the units name.
            targets: One a unit.
            generator: Source of every random draw but dropout; None means torch's global one.
        """

    @abstractmethod
    def decode(self, queries: Queries, images: ImageBatch, options: Options) -> Sequence[Result]:
        """Return one result per unit, in pixels of the original image; new pictures have pixels of their own."""

    def check(self, options: Options) -> None:
        """Refuse options that cannot be decoded with, before the model runs; by default all can.

        Raises:
            ValueError: With what is possible.
        """

    @classmethod
    def relevant(cls, options: Options) -> Options:
        """Return the options with what the decoder does not read at its default."""
        return options if cls.reads is None else replace(Options(), **{n: getattr(options, n) for n in cls.reads})

    def freeze(self) -> None:
        """Switch learning off where the configuration says so; loading weights forgets it."""
        return

    @classmethod
    @abstractmethod
    def example(cls) -> tuple[Self, Queries, ImageBatch, list[TargetT]]:
        """Return a tiny decoder with a batch it can train on; the contract tests run it."""
