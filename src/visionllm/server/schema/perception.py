"""The body of a perception: one picture, and what is looked for."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from visionllm.server.schema.base import Closed, Name, OptionsBody, Seed
from visionllm.server.schema.parts import RegionBody

MAX_NAMES, MAX_REGIONS, MAX_EXAMPLES = 500, 64, 5
Names = Annotated[list[Name], Field(min_length=1, max_length=MAX_NAMES)]
Format = Literal["visionllm", "coco", "yolo", "labelstudio", "supervision", "florence2", "qwen"]
_NEEDS = {
    "detect": "names",
    "segment": "names",
    "semantic": "names",
    "pose": "names",
    "refer": "phrase",
    "regions": "regions",
    "find": "examples",
}
"""What each task is about."""


class ExampleBody(Closed):
    """A picture, as a data URL, with a thing that is meant."""

    image: str
    region: RegionBody
    label: Name | None = None


class PerceptionBody(Closed):
    """A task about one picture, given as a data URL.

    `detect`, `segment`, `semantic` and `pose` look for classes (`names`), `refer` for what one `phrase` means,
    `regions` segments what each region points at, `find` looks for what is like the `examples`.
    """

    model: Name
    task: Literal["detect", "segment", "semantic", "pose", "refer", "regions", "find"]
    image: str
    names: Names | None = None
    phrase: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    keypoints: Names | None = None
    regions: Annotated[list[RegionBody], Field(min_length=1, max_length=MAX_REGIONS)] | None = None
    examples: Annotated[list[ExampleBody], Field(min_length=1, max_length=MAX_EXAMPLES)] | None = None
    seed: Seed | None = None
    options: OptionsBody | None = None

    @model_validator(mode="after")
    def _what_the_task_needs(self) -> "PerceptionBody":
        needed = _NEEDS[self.task]
        given = [field for field in ("names", "phrase", "regions", "examples") if getattr(self, field) is not None]
        if given != [needed]:
            raise ValueError(f"expected {needed} for the task {self.task}, got {', '.join(given) or 'none'}")
        if self.keypoints is not None and self.task != "pose":
            raise ValueError(f"expected keypoints for the task pose only, got them for {self.task}")
        return self
