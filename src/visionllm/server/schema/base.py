"""What all schemas share: they are closed, strict and finite; and how to answer, as one object."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from visionllm.config.diffusion import check_scheduler
from visionllm.types import Options

MAX_CHOICES, MAX_STEPS, MAX_INSTANCES, MAX_BEAMS = 4, 100, 300, 4
MAX_TEXT = 200_000
"""Most characters of one text."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=300)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]
Guidance = Annotated[float, Field(ge=0, le=50)]


class Closed(BaseModel):
    """An object without other fields than its own; nothing is converted, no number is NaN or infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class OptionsBody(Closed):
    """How to answer, beyond what OpenAI's API knows; what is left out is as the model has it."""

    protocol: Literal["known", "published", "free"] | None = None
    threshold: Share | None = None
    nms_iou: Share | None = None
    max_instances: Annotated[int, Field(ge=1, le=MAX_INSTANCES)] | None = None
    max_per_class: Annotated[int, Field(ge=1, le=MAX_INSTANCES)] | None = None
    min_per_class: Annotated[int, Field(ge=0, le=MAX_INSTANCES)] | None = None
    masks: bool | None = None
    num_beams: Annotated[int, Field(ge=1, le=MAX_BEAMS)] | None = None
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    guidance: Guidance | None = None
    image_guidance: Guidance | None = None
    scheduler: Annotated[str, Field(max_length=100)] | None = None


def options_of(body: OptionsBody | None, **more: Any) -> Options:
    """Return the options of a request; what is None is left as it is by default.

    Raises:
        ValueError: If the scheduler is unknown, or options don't go together.
    """
    given = ({} if body is None else body.model_dump()) | more
    chosen = {name: value for name, value in given.items() if value is not None}
    if "scheduler" in chosen:
        check_scheduler(chosen["scheduler"])
    return Options(**chosen)
