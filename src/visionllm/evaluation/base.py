"""The contract of a benchmark: questions for the predictor, the truth beside each, and scores at the end."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from PIL import Image

from visionllm.evaluation.intervals import Score
from visionllm.types import Answer, Detections, Example, GeneratedImages, Options, Poses, Region, Request

Scores = Mapping[str, Mapping[str, Score]]
"""Scores by name, by task family."""


# Everything that was found comes back, so that a score below any threshold still counts in a ranking.
EVERYTHING = Options(threshold=0.0)


class Predictor(Protocol):
    """The part of `visionllm.VisionLLM` that benchmarks use."""

    @property
    def decoders(self) -> Collection[str]:
        """Names of the task decoders it has, such as `"pose"`."""
        ...

    def answer(self, requests: Sequence[Request], *, batch_size: int = 8) -> list[Answer]:
        """Answer freely, in order."""
        ...

    def detect_batch(
        self,
        images: Sequence[Image.Image],
        classes: Sequence[Sequence[str]],
        *,
        masks: bool = False,
        options: Options | None = None,
        batch_size: int = 8,
    ) -> list[Detections]:
        """Find known classes, one list of them a picture."""
        ...

    def refer(self, image: Image.Image, phrase: str, *, options: Options | None = None) -> Detections:
        """Find the one thing that a phrase describes."""
        ...

    def segment_regions(
        self, image: Image.Image, regions: Sequence[Region], *, options: Options | None = None
    ) -> Detections:
        """Segment what is pointed at, one instance a region."""
        ...

    def pose(
        self,
        image: Image.Image,
        classes: Sequence[str],
        keypoints: Sequence[str] | None = None,
        *,
        options: Options | None = None,
    ) -> Poses:
        """Find known classes with their keypoints."""
        ...

    def generate(self, caption: str, *, options: Options | None = None) -> GeneratedImages:
        """Make a new picture."""
        ...

    def edit(self, image: Image.Image, wish: str, *, options: Options | None = None) -> GeneratedImages:
        """Make a changed copy of a picture."""
        ...

    def find_like(
        self, examples: Sequence[Example], images: Sequence[Image.Image], *, options: Options | None = None
    ) -> list[Detections]:
        """Find what is like one to five examples, in each of some new pictures."""
        ...

    def reconstruct(self, image: Image.Image) -> Image.Image:
        """Send a picture through the VAE of the generation decoder, at the size of the pictures that it makes."""
        ...


@dataclass(frozen=True, eq=False)
class Ask:
    """Free mode: the model writes an answer, and what it routes is decoded."""

    request: Request


@dataclass(frozen=True, eq=False)
class Detect:
    """Known-class mode: every class in one pass."""

    image: Image.Image
    classes: tuple[str, ...]
    masks: bool = False
    options: Options = EVERYTHING


@dataclass(frozen=True, eq=False)
class Refer:
    """Known-class mode: the one thing that a phrase describes, or nothing."""

    image: Image.Image
    phrase: str
    options: Options


@dataclass(frozen=True, eq=False)
class SegmentRegions:
    """Known-class mode: what each region points at."""

    image: Image.Image
    regions: tuple[Region, ...]


@dataclass(frozen=True, eq=False)
class FindPoses:
    """Known-class mode: objects of every class with all the keypoints that the classes have by themselves."""

    image: Image.Image
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Draw:
    """Known-class mode: a new picture."""

    caption: str
    options: Options


@dataclass(frozen=True, eq=False)
class Edit:
    """Known-class mode: a changed copy of a picture."""

    image: Image.Image
    wish: str
    options: Options


@dataclass(frozen=True, eq=False)
class Reconstruct:
    """A picture, through the VAE of the generation decoder and back."""

    image: Image.Image


@dataclass(frozen=True, eq=False)
class FindLike:
    """Known-class mode: what is called like examples, every label of them in one pass."""

    examples: tuple[Example, ...]
    image: Image.Image
    options: Options


Call = Ask | Detect | Refer | SegmentRegions | FindPoses | Draw | Edit | FindLike | Reconstruct


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """One thing to ask the predictor, with what should come back.

    Attributes:
        picture: Number of the picture in this run; `Benchmark.requests` yields them in ascending order.
        sort: What kind of question it is; questions of one sort are called in one way and share batches.
        call: How to ask.
        truth: Whatever `Benchmark.update` needs to judge the result.
        number: Which question of its sort about this picture. Where picture, sort and number are equal, benchmarks ask
            the same question, and it is answered once for all of them.
    """

    picture: int
    sort: str
    call: Call
    truth: Any
    number: int = 0


class Benchmark(ABC):
    """A set of questions and the way to judge the answers.

    A subclass in a module of this package is found by its name; other packages add theirs through the entry point
    `visionllm.benchmarks`.
    """

    name: ClassVar[str]

    @abstractmethod
    def requests(self) -> Iterator[Question]:
        """Yield every question, picture by picture."""

    @abstractmethod
    def update(self, truth: Any, result: Any) -> None:
        """Judge the result of one question: an `Answer` if it was an `Ask`, else what the method returned."""

    @abstractmethod
    def compute(self) -> Scores:
        """Return the scores of everything judged so far."""


def call_all(model: Predictor, calls: Sequence[Call], *, batch_size: int) -> list[Any]:
    """Ask the predictor calls of one kind, in batches where it takes batches.

    Args:
        model: The predictor.
        calls: Calls of one class, in any number.
        batch_size: How many go through the model at once.

    Raises:
        ValueError: If the calls are of several kinds, or what is to be detected has several options.
    """
    kinds = {type(call).__name__ for call in calls}
    if len(kinds) > 1:
        raise ValueError(f"expected calls of one kind, got {sorted(kinds)}")
    asks = [c.request for c in calls if isinstance(c, Ask)]
    if asks:
        return model.answer(asks, batch_size=batch_size)
    detects = [c for c in calls if isinstance(c, Detect)]
    if detects:
        options = {c.options for c in detects}
        if len(options) > 1:
            raise ValueError(f"expected one set of options for what is detected together, got {len(options)}")
        images, classes = [c.image for c in detects], [c.classes for c in detects]
        masks = any(c.masks for c in detects)
        return model.detect_batch(images, classes, masks=masks, options=options.pop(), batch_size=batch_size)
    return [_call(model, call) for call in calls]


def _call(model: Predictor, call: Call) -> Any:
    """Ask what the predictor takes one by one."""
    match call:
        case Refer():
            return model.refer(call.image, call.phrase, options=call.options)
        case SegmentRegions():
            return model.segment_regions(call.image, call.regions, options=EVERYTHING)
        case FindPoses():
            return model.pose(call.image, call.classes, options=EVERYTHING)
        case Draw():
            return model.generate(call.caption, options=call.options)
        case Edit():
            return model.edit(call.image, call.wish, options=call.options)
        case FindLike():
            return model.find_like(call.examples, [call.image], options=call.options)[0]
        case Reconstruct():
            return model.reconstruct(call.image)
        case Ask() | Detect():
            return call_all(model, [call], batch_size=1)[0]
