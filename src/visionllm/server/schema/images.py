"""The bodies of new pictures and of edits; an edit comes as a form, whose numbers are written as text."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from visionllm.server.schema.base import MAX_CHOICES, MAX_STEPS, Closed, Guidance, Name, OptionsBody, Seed
from visionllm.server.schema.neutral import User

Size = Annotated[str, Field(pattern=r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$", max_length=11)]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
Quality = Literal["auto", "standard"]
Background = Literal["auto", "opaque"]
"""What clients of OpenAI's API send by habit: there is one quality, and pictures are opaque."""
Count = Annotated[int, Field(ge=1, le=MAX_CHOICES)]


class _Wanted(Closed):
    """What a new picture and an edit share."""

    prompt: Words
    model: Name
    n: Count | None = None
    size: Size | None = None
    response_format: Literal["b64_json"] | None = None
    output_format: Literal["png"] | None = None
    quality: Quality | None = None
    background: Background | None = None
    user: User = None
    seed: Seed | None = None


class GenerationBody(_Wanted):
    """What a new picture shows; it comes as a PNG file in base 64."""

    options: OptionsBody | None = None


class EditFields(_Wanted):
    """The fields of the form of an edit, its files left out."""

    model_config = ConfigDict(strict=False)

    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    guidance: Guidance | None = None
    image_guidance: Guidance | None = None
    scheduler: Annotated[str, Field(max_length=100)] | None = None


def size_hw(size: str | None) -> tuple[int, int] | None:
    """Return (height, width) of a size that is written as `WIDTHxHEIGHT`; None leaves it to the model.

    >>> size_hw("96x64"), size_hw("auto")
    ((64, 96), None)
    """
    if size is None or size == "auto":
        return None
    width, _, height = size.partition("x")
    return int(height), int(width)
