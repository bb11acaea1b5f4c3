"""What a built model is made of: what was taken from where, what is new, what was dropped and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Count:
    """Some tensors.

    Attributes:
        what: What they are, or why they were dropped.
        tensors: How many there are.
        parameters: How many numbers they hold.
    """

    what: str
    tensors: int
    parameters: int

    @classmethod
    def of(cls, what: str, sizes: Iterable[int]) -> "Count":
        """Count tensors of so many numbers each."""
        listed = list(sizes)
        return cls(what=what, tensors=len(listed), parameters=sum(listed))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class PartSummary:
    """What became of one part.

    Attributes:
        part: Its name; `link` is what connects the others.
        folder: Where it came from; None where all of it is new.
        taken: Tensors that are in the model as they were.
        grown: Vocabulary tables that got rows.
        new: Tensors that it lacked.
        dropped: Tensors that the model has no use for, by reason.
    """

    part: str
    folder: Path | None
    taken: Count
    grown: Count
    new: Sequence[Count] = ()
    dropped: Sequence[Count] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "part": self.part,
            "folder": None if self.folder is None else str(self.folder),
            "taken": {"tensors": self.taken.tensors, "parameters": self.taken.parameters},
            "grown": {"tensors": self.grown.tensors, "parameters": self.grown.parameters},
            "new": [count.to_dict() for count in self.new],
            "dropped": [count.to_dict() for count in self.dropped],
        }


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a built model is made of.

    Attributes:
        folder: Of the model.
        parts: What became of each part.
        tokens: Ids of the tokens that were added.
        vocabulary: Rows of the text vocabulary.
        slots: Rows of the slot tables, by name.
        size_bytes: Of all weights.
        notes: What a user should know.
    """

    folder: Path
    parts: Sequence[PartSummary]
    tokens: dict[str, int]
    vocabulary: int
    slots: dict[str, int]
    size_bytes: int
    notes: Sequence[str] = ()

    @property
    def parameters(self) -> int:
        """Numbers in all weights."""
        return sum(p.taken.parameters + p.grown.parameters + sum(n.parameters for n in p.new) for p in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "folder": str(self.folder),
            "parameters": self.parameters,
            "bytes": self.size_bytes,
            "vocabulary": self.vocabulary,
            "tokens": self.tokens,
            "slots": self.slots,
            "parts": [part.to_dict() for part in self.parts],
            "notes": list(self.notes),
        }
