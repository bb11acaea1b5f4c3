"""Where each tensor of a renamed checkpoint comes from, found out without reading one.

Renaming is a function from tensors to tensors that takes them apart and joins them along their rows. So it is run on
rows of numbers instead, a different one for each row of the checkpoint, and what comes out says where it came from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Shapes = Mapping[str, Sequence[int]]
Renaming = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Some rows of a tensor.

    Attributes:
        name: Of the tensor.
        first, last: Its rows, the last exclusive. A tensor without dimensions has one row.
    """

    name: str
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The rows that a tensor is made of, one after the other."""

    rows: tuple[Rows, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors it is made of."""
        return tuple(rows.name for rows in self.rows)

    def of(self, read: Callable[[str], Tensor]) -> Tensor:
        """Make the tensor of what `read` returns for a name."""
        parts = [_cut(read(rows.name), rows) for rows in self.rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """Return the shape of the tensor, from those of what it is made of."""
        first, *inner = shapes[self.rows[0].name] or (1,)
        count = sum(rows.last - rows.first for rows in self.rows)
        whole = len(self.rows) == 1 and count == first
        return tuple(shapes[self.rows[0].name]) if whole else (count, *inner)


def _cut(tensor: Tensor, rows: Rows) -> Tensor:
    return tensor if rows.last - rows.first == (len(tensor) if tensor.ndim else 1) else tensor[rows.first : rows.last]


def origins(rename: Renaming, shapes: Shapes) -> dict[str, Origin]:
    """Return where each tensor that a renaming returns comes from.

    Args:
        rename: Takes tensors apart or joins them along their first dimension, if at all.
        shapes: Of the tensors that it is given; at most 2⁶² rows.

    Returns:
        By the names that `rename` returns.
    """
    names = list(shapes)
    lengths = [int(shape[0]) if len(shape) else 1 for shape in shapes.values()]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    numbers = {n: torch.arange(int(a), int(b)) for n, a, b in zip(names, starts, ends, strict=True)}
    found: dict[str, Origin] = {}
    for name, rows in rename(numbers).items():
        order = rows.numpy()
        owner = np.searchsorted(ends, order, side="right")
        breaks = np.flatnonzero((np.diff(order) != 1) | (np.diff(owner) != 0)) + 1
        parts = []
        for part in np.split(order, breaks):
            who = int(np.searchsorted(ends, part[0], side="right"))
            parts.append(Rows(name=names[who], first=int(part[0] - starts[who]), last=int(part[-1] - starts[who]) + 1))
        found[name] = Origin(rows=tuple(parts))
    return found
