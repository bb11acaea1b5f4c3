"""A table of published names beside ours, read in both directions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class NameMap:
    """Which published parameter or module is which of ours.

    `#` stands for a number that both names share, `*` for the rest of the name, and `~` for a number that only the
    published name has, because its modules are copies of one.

    Attributes:
        part: What the names belong to, for messages.
        rows: (published, ours).
        packed: (published, several of ours); the published tensor holds ours one after the other.
        joined: (several published, ours); our tensor holds the published ones one after the other.
        derived: End of published names that follow from the configuration and are dropped.
    """

    part: str
    rows: tuple[tuple[str, str], ...]
    packed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    joined: tuple[tuple[tuple[str, ...], str], ...] = ()
    derived: str = "relative_position_index"

    def to_ours(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename published tensors; those the published model shares become one.

        Raises:
            ValueError: If a name is unknown, or only a part of a joined tensor is there.
        """
        ours: dict[str, Tensor] = {}
        parts = {theirs: (several, name) for several, name in self.joined for theirs in several}
        for name, tensor in state.items():
            if name.endswith(self.derived):
                continue
            if name in parts:
                several, joined = parts[name]
                if missing := [n for n in several if n not in state]:
                    raise ValueError(f"expected {missing[0]} beside {name} in the published {self.part}, got none")
                ours[joined] = torch.cat([state[n] for n in several])
                continue
            pieces = self._unpacked(name)
            if pieces:
                ours |= zip(pieces, tensor.chunk(len(pieces)), strict=True)
                continue
            renamed = _first(name, self.rows)
            if renamed is None:
                raise ValueError(f"expected a parameter of the published {self.part}, got {name}")
            ours[renamed] = tensor
        return ours

    def to_published(
        self, state: Mapping[str, Tensor], copies: Mapping[str, int], sizes: Mapping[str, int] | None = None
    ) -> dict[str, Tensor]:
        """Rename our tensors, shared ones under every one of their names.

        Args:
            state: Our names.
            copies: By the beginning of a published name, how many copies of a shared module it names.
            sizes: Length of each published tensor that is joined to one of ours, all but the last.

        Raises:
            ValueError: If a name is unknown.
        """
        published: dict[str, Tensor] = {}
        joined = {ours: several for several, ours in self.joined}
        for name, tensor in state.items():
            if name in joined:
                lengths = [(sizes or {})[n] for n in joined[name][:-1]]
                published |= zip(joined[name], tensor.split([*lengths, len(tensor) - sum(lengths)]), strict=True)
                continue
            if packed := self._packed(name):
                theirs, siblings = packed
                if theirs not in published:
                    published[theirs] = torch.cat([state[n] for n in siblings])
                continue
            names = [theirs for left, right in self.rows if (theirs := _renamed(name, right, left)) is not None]
            if not names:
                raise ValueError(f"expected a parameter of the {self.part}, got {name}")
            for theirs in names:
                count = next(n for start, n in copies.items() if theirs.startswith(start)) if "~" in theirs else 1
                published |= {theirs.replace("~", str(i)): tensor for i in range(count)}
        return published

    def _unpacked(self, name: str) -> list[str]:
        """Return our names of the parts of a published tensor that holds several of ours."""
        for left, several in self.packed:
            pieces = [ours for right in several if (ours := _renamed(name, left, right)) is not None]
            if pieces:
                return pieces
        return []

    def _packed(self, name: str) -> tuple[str, list[str]] | None:
        """Return the published tensor that holds one of ours, and all of ours that it holds."""
        for left, several in self.packed:
            for right in several:
                if theirs := _renamed(name, right, left):
                    return theirs, self._unpacked(theirs)
        return None


def _first(name: str, rows: tuple[tuple[str, str], ...]) -> str | None:
    """Return the name on the right of the first row whose left side fits, or None."""
    found = (_renamed(name, left, right) for left, right in rows)
    return next((renamed for renamed in found if renamed is not None), None)


def _renamed(name: str, left: str, right: str) -> str | None:
    """Return the name in the pattern on the right, if it fits the one on the left.

    >>> _renamed("layers.3.norm.bias", "layers.#.norm.*", "stack.#.last.*")
    'stack.3.last.bias'
    """
    pattern = re.escape(left).replace(r"\#", r"(\d+)").replace(r"\*", "(.+)").replace(r"\~", r"\d+")
    match = re.fullmatch(pattern, name)
    if match is None:
        return None
    for piece in match.groups():
        right = re.sub(r"[#*]", lambda _, piece=piece: piece, right, count=1)
    return right
