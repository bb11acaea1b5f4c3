"""What the model may write next: its slots after a routing token, and never an id that stands for a picture."""

import torch
from torch import Tensor
from transformers import LogitsProcessor

from visionllm.config import IMAGE_TOKEN, REGION_TOKEN, VisionLLMConfig


class SlotForcing(LogitsProcessor):
    """Forces the slot ids that belong after a routing token, one by one, and forbids ids that only a prompt may hold.

    Only the last id decides, so rows of a batch, beams and samples need no state of their own.

    Args:
        config: Names the routes, the tables and what is never written.
    """

    def __init__(self, config: VisionLLMConfig) -> None:
        following = torch.full((config.id_space,), -1)
        for table in config.tables:
            slots = config.slot_ids(table)
            following[slots.start : slots.stop - 1] = torch.arange(slots.start + 1, slots.stop)
        for route in config.routes:
            following[config.token_ids[route.token]] = config.slot_ids(route.table).start
        self.following = following
        prompt_only = [config.token_ids[name] for name in (IMAGE_TOKEN, REGION_TOKEN) if name in config.token_ids]
        self.forbidden = torch.zeros(config.id_space, dtype=torch.bool)
        self.forbidden[[*prompt_only, *config.never_sampled_ids]] = True

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Leave only the forced id, with score 0, in rows that owe a slot; forbid what is never written in the others.

        Args:
            input_ids: int[B, T].
            scores: float[B, V + S].

        Returns:
            float[B, V + S]. A forced id has log-probability 0, so it changes no beam's score.
        """
        self.following = self.following.to(input_ids.device)
        self.forbidden = self.forbidden.to(input_ids.device)
        owed = self.following[input_ids[:, -1]][:, None]
        forced = torch.full_like(scores, float("-inf")).scatter_(1, owed.clamp_min(0), 0.0)
        return torch.where(owed >= 0, forced, scores.masked_fill(self.forbidden, float("-inf")))

    def owes(self, token: int) -> bool:
        """Tell whether a slot must follow a token."""
        return bool(self.following[token] >= 0)
