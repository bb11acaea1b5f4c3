"""What an engine can be asked for, as data."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from PIL import Image

from visionllm.types import Example, Options, Region, Request

PerceptionTask = Literal["detect", "segment", "refer", "pose", "regions", "semantic", "find"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Perception:
    """One result about a picture.

    Attributes:
        task: `detect`, `segment`, `semantic`: everything of the classes `names`; `refer`: the one thing that the phrase
            in `names` means; `pose`: the `keypoints` of everything of the classes; `regions`: what each region points
            at; `find`: everything that is like the examples.
        image: Upright RGB, such as `open_picture` returns.
        names: Names of classes, or one phrase.
        keypoints: Names of keypoints; None means those that the classes have by themselves.
        regions: Places in the picture.
        examples: Pictures with a marked thing.
        options: How to answer.

    Raises:
        ValueError: If the task is unknown, or lacks what it is about.
    """

    task: PerceptionTask
    image: Image.Image
    names: tuple[str, ...] = ()
    keypoints: tuple[str, ...] | None = None
    regions: tuple[Region, ...] = ()
    examples: tuple[Example, ...] = ()
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if self.task not in get_args(PerceptionTask):
            raise ValueError(f"expected a task among {', '.join(get_args(PerceptionTask))}, got {self.task!r}")
        if self.task == "refer" and len(self.names) != 1:
            raise ValueError(f"expected one phrase to look for, got {len(self.names)}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Creation:
    """A new picture, or a changed one.

    Attributes:
        words: What it should show, or what should change.
        image: The picture to change, upright RGB, or None for a new one.
        regions: Where it should change; every pixel outside stays as it is.
        options: Seed, steps, guidance, size and scheduler.

    Raises:
        ValueError: If there are regions without a picture.
    """

    words: str
    image: Image.Image | None = None
    regions: tuple[Region, ...] = ()
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if self.regions and self.image is None:
            raise ValueError(f"expected a picture for {len(self.regions)} regions, got none")


Job = Request | Perception | Creation
