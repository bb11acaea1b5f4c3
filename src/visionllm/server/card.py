"""What a server says about its model."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.types import Request

if TYPE_CHECKING:
    from visionllm.predictor import VisionLLM

DRAWINGS = "This model knows drawings only; for photos, serve a model that was trained on them."
NEEDS = {
    "detect": "detection",
    "segment": "detection",
    "semantic": "detection",
    "refer": "detection",
    "regions": "detection",
    "find": "detection",
    "pose": "pose",
    "generate": "generation",
    "edit": "editing",
}
"""The decoder that each task needs."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model as clients see it.

    Attributes:
        name: What requests call it.
        context: Most tokens of a conversation, pictures, slots and answer included.
        decoders: Names of its decoders.
        picture_hw: (height, width) of the pictures that it makes by itself, in pixels; None if it makes none.
        notices: What its users should know.
        count: Returns the number of tokens of a conversation, or None where nobody can say.
        created: Seconds since 1970.
    """

    name: str
    context: int
    decoders: tuple[str, ...] = ()
    picture_hw: tuple[int, int] | None = None
    notices: tuple[str, ...] = ()
    count: Callable[[Request], int] | None = None
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def tasks(self) -> tuple[str, ...]:
        """What can be asked beside questions."""
        return tuple(task for task, decoder in NEEDS.items() if decoder in self.decoders)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as OpenAI's API describes a model, and more."""
        return {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "visionllm",
            "context_length": self.context,
            "decoders": list(self.decoders),
            "tasks": list(self.tasks),
            "notices": list(self.notices),
        }


def card_of(model: "VisionLLM", name: str) -> ModelCard:
    """Describe a model; `name` is what requests call it."""
    processor = model.processor

    def count(request: Request) -> int:
        return len(processor.prefix(request)) + len(processor.continuation(request))

    painter = dict(model.model.decoders.items()).get("generation")
    return ModelCard(
        name=name,
        context=processor.config.context_length,
        decoders=model.decoders,
        picture_hw=painter.config.picture_hw if isinstance(painter, DiffusionDecoder) else None,
        notices=(DRAWINGS,) if model.drawings_only else (),
        count=count,
    )
