"""After a routing token the model writes its slots, whatever its logits say."""

import torch
from torch import Tensor
from transformers import LogitsProcessor

from visionllm.config import VisionLLMConfig


class SlotForcing(LogitsProcessor):
    """Forces the slot ids that belong after a routing token, one by one.

    Only the last id decides, so rows of a batch, beams and samples need no state of their own.

    Args:
        config: Names the routes and the tables.
    """

    def __init__(self, config: VisionLLMConfig) -> None:
        following = torch.full((config.id_space,), -1)
        for table in config.tables:
            slots = config.slot_ids(table)
            following[slots.start : slots.stop - 1] = torch.arange(slots.start + 1, slots.stop)
        for route in config.routes:
            following[config.token_ids[route.token]] = config.slot_ids(route.table).start
        self.following = following

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Leave only the forced id, with score 0, in rows float[B, V + S] that owe a slot.

        Args:
            input_ids: int[B, T].
            scores: float[B, V + S].

        Returns:
            float[B, V + S]. A forced id has log-probability 0, so it changes no beam's score.
        """
        self.following = self.following.to(input_ids.device)
        owed = self.following[input_ids[:, -1]][:, None]
        forced = torch.full_like(scores, float("-inf")).scatter_(1, owed.clamp_min(0), 0.0)
        return torch.where(owed >= 0, forced, scores)

    def owes(self, token: int) -> bool:
        """Tell whether a slot must follow a token."""
        return bool(self.following[token] >= 0)
