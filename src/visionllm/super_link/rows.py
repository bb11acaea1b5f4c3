"""Slot rows: the learned super-link queries, embedded like ordinary tokens and never predicted."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visionllm.config import VisionLLMConfig
from visionllm.super_link.gathering import gather
from visionllm.types.tensors import ModelInputs, Queries


class SuperLink(nn.Module):
    """The slot tables, whose ids follow the text vocabulary.

    Args:
        config: Names the tables, the routes and the decoders.

    Raises:
        ValueError: If two tables that feed one decoder differ in slots.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2 (super link).
    """

    def __init__(self, config: VisionLLMConfig) -> None:
        super().__init__()
        self.config = config
        width = config.text_config.hidden_size
        for decoder in config.decoders:
            fed = {r.table: config.tables[r.table] for r in config.routes if r.decoder == decoder}
            if len(set(fed.values())) > 1:
                raise ValueError(f"expected tables with one number of slots for decoder {decoder!r}, got {fed}")
        self.tables = nn.ModuleDict({name: nn.Embedding(slots, width) for name, slots in config.tables.items()})
        for table in self.tables.values():
            nn.init.normal_(table.get_parameter("weight"), std=getattr(config.text_config, "initializer_range", 0.02))

    def embed(self, input_ids: Tensor, embed_tokens: Callable[[Tensor], Tensor]) -> Tensor:
        """Embed text and slot ids; the vocabulary table is looked up in place.

        Args:
            input_ids: int[B, T].
            embed_tokens: int[B, T] to float[B, T, D], for text ids.

        Returns:
            float[B, T, D].
        """
        if not self.tables:
            return embed_tokens(input_ids)
        first = self.config.text_vocab_size
        is_slot = input_ids >= first
        text = embed_tokens(input_ids.masked_fill(is_slot, 0))
        weights: list[Tensor] = [table.get_parameter("weight") for table in self.tables.values()]
        rows = weights[0] if len(weights) == 1 else torch.cat(weights)
        slots = F.embedding((input_ids - first).clamp_min(0), rows).to(text)
        return torch.where(is_slot[..., None], slots, text)

    def pad_logits(self, logits: Tensor) -> Tensor:
        """Widen float[..., V] to the whole id space; slots are −inf."""
        return F.pad(logits, (0, self.config.id_space - logits.shape[-1]), value=float("-inf"))

    def gather(self, last_hidden_state: Tensor, inputs: ModelInputs) -> dict[str, Queries]:
        """Return the queries of each decoder that the batch routes to; see `visionllm.super_link.gathering.gather`."""
        return gather(last_hidden_state, inputs, self.config)
