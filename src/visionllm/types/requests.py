"""What a user sends: messages made of text, pictures and regions."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from PIL import Image

from visionllm.types.regions import Region


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in a message: an upright RGB image (see `visionllm.processing.opening` for files and odd modes)."""

    image: Image.Image


@dataclass(frozen=True)
class Mark:
    """A region of a picture, as a part of a message.

    Attributes:
        region: What is pointed at, in pixels of that picture.
        picture: Index of the picture among all pictures of the request; None means the last one before the mark.
        numbered: It is called `region1`, `region2`, … by its place among the marks; otherwise just `region`, as
            published examples and region captions have it.
    """

    region: Region
    picture: int | None = None
    numbered: bool = True


@dataclass(frozen=True)
class Routed:
    """A span of an assistant message that opens a decoder, as in `red star [DET]`.

    Attributes:
        text: The words that are routed; may be empty, as for `[GRD]`.
        token: The routing token, such as `"[DET]"`.
        wrapped: The words stand in `<det>…</det>`, as those of published grounded captions do; None leaves it to the
            template of the conversation.
    """

    text: str
    token: str
    wrapped: bool | None = None


Protocol = Literal["known", "published", "free"]
"""How a task method such as `detect` gets its answer; see `Options.protocol`."""
Part = str | Picture | Mark | Routed
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn: `Routed` parts belong to assistant messages, `Picture` and `Mark` parts to user messages."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The words of the message, structure left out."""
        return "".join(p if isinstance(p, str) else p.text for p in self.parts if isinstance(p, str | Routed))


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to answer.

    Attributes:
        max_new_tokens: Length limit of the answer; super-link slots don't count. An answer that names all keypoints
            of a person has 133.
        temperature: 0 decodes greedily; above 0 samples.
        top_p: Nucleus of the sampling, in (0, 1].
        num_beams: Beams of the search; 1 switches it off.
        seed: Seed of every random draw of this request.
        protocol: How a task method such as `detect` or `pose` gets its answer. `known`: the answer's template with
            every name stands behind the question, and one pass reads it. `published`: the same in the way that released
            scores were measured, with every class in that one pass and no threshold: the best `max_instances` whatever
            their scores. `free`: the model writes its own answer, and what it routes is decoded.
        threshold: Lowest score of a returned instance, in [0, 1]; None takes the model's own default.
        candidates: Only so many of the best pairs of object query and class are looked at; None looks at all.
        nms_iou: Boxes of one class that overlap more than this are merged into the best one; 1 keeps all, and None does
            what suits the decoder: the embedded model merges poses, and nothing else.
        max_instances: At most this many instances a result.
        max_per_class: At most this many instances a class, phrase or region; None sets no such limit.
        min_per_class: So many instances a class, phrase or region come whatever their scores, if there are as many. A
            free answer shows at least the best instance of what it says is there, unless there is a `threshold`.
        masks: Whether instances come with masks.
        steps: Steps from noise to a picture; None takes the decoder's own default, as below.
        guidance: How strongly words guide a picture; 1 switches guidance off.
        image_guidance: How strongly the picture to edit guides; 1 switches it off.
        scheduler: Name of the diffusers scheduler that makes pictures.
        size_hw: (height, width) of new pictures, in pixels.

    Raises:
        ValueError: If a value is out of its range.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    num_beams: int = 1
    seed: int = 0
    protocol: Protocol = "known"
    threshold: float | None = None
    candidates: int | None = None
    nms_iou: float | None = None
    max_instances: int = 100
    max_per_class: int | None = None
    min_per_class: int = 0
    masks: bool = True
    steps: int | None = None
    guidance: float | None = None
    image_guidance: float | None = None
    scheduler: str | None = None
    size_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        ranges = {
            "max_new_tokens": self.max_new_tokens >= 1,
            "temperature": self.temperature >= 0,
            "top_p": 0 < self.top_p <= 1,
            "num_beams": self.num_beams >= 1,
            "threshold": self.threshold is None or 0 <= self.threshold <= 1,
            "protocol": self.protocol in get_args(Protocol),
            "candidates": self.candidates is None or self.candidates >= 1,
            "nms_iou": self.nms_iou is None or 0 <= self.nms_iou <= 1,
            "max_instances": self.max_instances >= 1,
            "max_per_class": self.max_per_class is None or self.max_per_class >= 1,
            "min_per_class": 0 <= self.min_per_class <= (self.max_per_class or self.max_instances),
            "steps": self.steps is None or (isinstance(self.steps, int) and self.steps >= 1),
            "guidance": self.guidance is None or 0 <= self.guidance < math.inf,
            "image_guidance": self.image_guidance is None or 0 <= self.image_guidance < math.inf,
            "size_hw": self.size_hw is None or min(self.size_hw) >= 1,
        }
        for name, fits in ranges.items():
            if not fits:
                raise ValueError(f"option {name} is out of range: got {getattr(self, name)}")
        if self.num_beams > 1 and self.temperature > 0:
            raise ValueError(f"expected temperature 0 with num_beams {self.num_beams}, got {self.temperature}")

    def lowest_score(self, default: float) -> float:
        """Return the lowest score of a returned instance, where a decoder's own is `default`."""
        if self.threshold is not None:
            return self.threshold
        return 0.0 if self.protocol == "published" else default

    def merged(self, default: float | None) -> "Options":
        """Return the same, with a decoder's own `nms_iou` where the request names none."""
        if self.nms_iou is not None or self.protocol == "published":
            return self
        return replace(self, nms_iou=default)


@dataclass(frozen=True)
class Request:
    """A conversation that ends with a user message, and how to answer it."""

    messages: tuple[Message, ...]
    options: Options = field(default_factory=Options)

    @property
    def pictures(self) -> tuple[Image.Image, ...]:
        """All pictures of the conversation, in order."""
        return tuple(p.image for m in self.messages for p in m.parts if isinstance(p, Picture))


def ask(
    text: str, image: Image.Image | None = None, *, regions: tuple[Region, ...] = (), options: Options | None = None
) -> Request:
    """Build the request of one question about one picture: picture, words, then the regions.

    >>> ask("How many stars are there?").messages[0].text
    'How many stars are there?'
    """
    parts: list[Part] = [] if image is None else [Picture(image)]
    parts.append(text)
    for region in regions:
        parts += [" ", Mark(region)]
    return Request((Message("user", tuple(parts)),), options or Options())
