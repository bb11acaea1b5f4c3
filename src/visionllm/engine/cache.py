"""The language model's cache: fixed memory in blocks, whose rows join and leave between steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedConfig
from transformers.cache_utils import CacheLayerMixin, DynamicLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Where the keys and values of one forward pass are written and read.

    Attributes:
        tables: int[B, n]. The blocks of each row in their order, block 0 behind them.
        rows: int[M]. The row of each real new id.
        columns: int[M]. Its index among the new ids of its row.
        blocks: int[M]. The block it is written to.
        offsets: int[M]. Its place in that block.
    """

    tables: Tensor
    rows: Tensor
    columns: Tensor
    blocks: Tensor
    offsets: Tensor


class BlockLayer(CacheLayerMixin):
    """Keys and values of one layer, [blocks, block size, heads, width]; memory is taken once.

    Args:
        blocks: Number of blocks, the empty one included.
        block_size: Ids a block.
    """

    is_sliding = False

    def __init__(self, blocks: int, block_size: int) -> None:
        super().__init__()
        self.blocks, self.block_size = blocks, block_size
        self.layout: Layout | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Take the memory, in the shape of what is to be kept."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = (
            torch.zeros(self.blocks, self.block_size, s.shape[1], s.shape[3], dtype=s.dtype, device=s.device)
            for s in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write float[B, heads, q, width] and return all keys and values of the rows, float[B, heads, n·size, width].

        Raises:
            ValueError: If nobody has said which rows these are.
        """
        if self.layout is None:
            raise ValueError("expected a layout for the rows of this pass, got none")
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        return self._kept(self.keys, key_states, self.layout), self._kept(self.values, value_states, self.layout)

    def _kept(self, memory: Tensor | None, new: Tensor, layout: Layout) -> Tensor:
        if memory is None:
            raise ValueError("expected memory for keys and values, got none")
        memory[layout.blocks, layout.offsets] = new.transpose(1, 2)[layout.rows, layout.columns]
        count, length = layout.tables.shape
        rows = memory.index_select(0, layout.tables.flatten())
        return rows.view(count, length * self.block_size, *memory.shape[2:]).transpose(1, 2)

    def clean(self, blocks: Tensor) -> None:
        """Set blocks int[n] to zero: a masked key still counts if it is no number."""
        for memory in (self.keys, self.values):
            if memory is not None:
                memory[blocks] = 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of keys; every pass brings its own mask."""
        return (0 if self.layout is None else self.layout.tables.shape[1] * self.block_size), 0

    def get_seq_length(self) -> int:
        """Return 0: every row has a length of its own, and every pass brings its positions."""
        return 0

    def get_max_length(self) -> int:
        """Return the number of ids that all rows together have room for."""
        return (self.blocks - 1) * self.block_size


class BlockCache(Cache):
    """A cache of fixed memory for rows of any lengths.

    Args:
        layers: Number of layers of the language model.
        blocks: Number of blocks beside the empty one.
        block_size: Ids a block.
        device: Where the language model is.
    """

    def __init__(self, layers: int, blocks: int, block_size: int, device: torch.device) -> None:
        self.own = [BlockLayer(blocks + 1, block_size) for _ in range(layers)]
        super().__init__(layers=list(self.own))
        self.block_size, self.device = block_size, device

    def lay_out(
        self, tables: Sequence[Sequence[int]], read: Sequence[int], lengths: Sequence[int], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Say which rows the next pass reads.

        Args:
            tables: The blocks of each row.
            read: How many ids of each row are in the cache.
            lengths: How many new ids of each row follow; the pass pads them on the right.
            dtype: Of the attention scores.

        Returns:
            The positions int[B, q] of the new ids, and the mask float[B, 1, q, keys]: 0 where an id sees a key, the
            lowest number of `dtype` elsewhere. Padding repeats the last id of its row.
        """
        size = self.block_size
        needed = -(-max(r + n for r, n in zip(read, lengths, strict=True)) // size)
        padded = torch.tensor([(*t[:needed], *[0] * (needed - len(t))) for t in tables], device=self.device)
        begin, count = (torch.tensor(values, device=self.device) for values in (read, lengths))
        steps = torch.arange(max(lengths), device=self.device)
        positions = begin[:, None] + torch.minimum(steps, count[:, None] - 1)
        rows, columns = (steps < count[:, None]).nonzero(as_tuple=True)
        places = positions[rows, columns]
        layout = Layout(
            tables=padded,
            rows=rows,
            columns=columns,
            blocks=padded[rows, places // size],
            offsets=places % size,
        )
        for layer in self.own:
            layer.layout = layout
        seen = torch.arange(needed * size, device=self.device) <= positions[..., None]
        mask = torch.zeros(seen.shape, dtype=dtype, device=self.device).masked_fill_(~seen, torch.finfo(dtype).min)
        return positions, mask[:, None]

    def clean(self, blocks: Sequence[int]) -> None:
        """Set blocks to zero."""
        index = torch.tensor(list(blocks), device=self.device)
        for layer in self.own:
            layer.clean(index)


def keeps_every_key(config: PreTrainedConfig) -> bool:
    """Tell whether all layers of a language model see all earlier ids, so that blocks can hold what they keep."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
