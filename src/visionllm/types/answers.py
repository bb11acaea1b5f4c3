"""What the model said, with everything that its words routed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from visionllm.types.generated import GeneratedImages
from visionllm.types.poses import Pose, Poses
from visionllm.types.requests import Message, Routed
from visionllm.types.results import Detections, Instance

if TYPE_CHECKING:
    from PIL import Image

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the model said, and what it routed.

    Attributes:
        text: The answer without structure.
        finish_reason: "stop" if the model ended its answer, "length" if the length limit did.
        parts: The answer as the parts of an assistant message, routed spans told apart; empty if nothing was routed.
        detections: Everything the detector found for this answer, or None if nothing was routed to it.
        poses: What the pose decoder found, one value for each list of keypoints that the answer asks of some objects.
        pictures: What was made or edited, one value for each routed run of words.
        notices: Things the user should know, such as "this model knows drawings only".
        tokens: Number of generated tokens; slots don't count.
    """

    text: str
    finish_reason: FinishReason = "stop"
    parts: tuple[str | Routed, ...] = ()
    detections: Detections | None = None
    poses: tuple[Poses, ...] = ()
    pictures: tuple[GeneratedImages, ...] = ()
    notices: tuple[str, ...] = ()
    tokens: int = 0

    @property
    def message(self) -> Message:
        """The answer as a turn of a conversation, for the history of the next question."""
        return Message("assistant", self.parts or (self.text,))

    @property
    def instances(self) -> tuple[Instance | Pose, ...]:
        """Everything that was found, as it is numbered in pictures: detections, then poses."""
        found = () if self.detections is None else self.detections.instances
        return (*found, *(pose for poses in self.poses for pose in poses.instances))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space."""
        return {
            "text": self.text,
            "finish_reason": self.finish_reason,
            "tokens": self.tokens,
            "detections": None if self.detections is None else self.detections.to_dict(),
            "poses": [poses.to_dict() for poses in self.poses],
            "pictures": [made.to_dict() for made in self.pictures],
            "notices": list(self.notices),
        }

    def render(self, image: "Image.Image | None" = None, **style: Any) -> "Image.Image":
        """Return a copy of the picture with the results drawn on it, new ones beside it; see `visionllm.rendering`."""
        from visionllm.rendering import draw_results  # lazy: drawing is no part of the types

        return draw_results(image, self, **style)
