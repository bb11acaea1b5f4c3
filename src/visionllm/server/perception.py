"""`POST /v1/perception`: known classes, phrases, keypoints, regions and examples, each with one result."""

import asyncio
import secrets
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from visionllm.engine.jobs import Job, Perception
from visionllm.server.errors import ApiError
from visionllm.server.intake import Intake
from visionllm.server.reading import StrictRoute
from visionllm.server.results import FORMS, written_as
from visionllm.server.schema.base import options_of
from visionllm.server.schema.perception import Format, PerceptionBody
from visionllm.server.service import Service, Work
from visionllm.server.streaming import dumps
from visionllm.types import Answer, Example, Result

router = APIRouter(route_class=StrictRoute)
BOXES = ("detect", "segment", "refer", "regions", "find")
"""Tasks whose results other tools' formats can hold."""


@router.post("/v1/perception")
async def perceive(
    body: PerceptionBody, request: Request, form: Annotated[Format, Query(alias="format")] = "visionllm"
) -> Response:
    """Find things in a picture."""
    service: Service = request.app.state.service
    service.check_model(body.model)
    if form in FORMS and body.task not in BOXES:
        message = f"expected a task out of {', '.join(BOXES)} for the format {form}, got {body.task}"
        raise ApiError(400, message, code="invalid_value", param="format")
    work = Work(service, request)
    await work.start(lambda intake: [job_of(body, intake)])
    (result,) = await work.results()
    frame = {
        "id": f"percept-{secrets.token_hex(12)}",
        "object": "perception",
        "created": int(time.time()),
        "model": service.card.name,
        "task": body.task,
        "format": form,
    }
    return await asyncio.to_thread(_response, frame, result, form)


def job_of(body: PerceptionBody, intake: Intake) -> Job:
    """Return what is asked for.

    Raises:
        ApiError: If a picture or region is refused.
        ValueError: If options don't go together.
    """
    options = options_of(body.options, seed=body.seed)
    image = intake.picture(body.image, "image")
    size = (image.height, image.width)
    regions = [intake.region(region, size, i, f"regions.{i}") for i, region in enumerate(body.regions or ())]
    examples = []
    for i, given in enumerate(body.examples or ()):
        shown = intake.picture(given.image, f"examples.{i}.image")
        region = intake.region(given.region, (shown.height, shown.width), i, f"examples.{i}.region")
        examples.append(Example(shown, region, given.label))
    return Perception(
        task=body.task,
        image=image,
        names=tuple(body.names or ()) if body.phrase is None else (body.phrase,),
        keypoints=None if body.keypoints is None else tuple(body.keypoints),
        regions=tuple(regions),
        examples=tuple(examples),
        options=options,
    )


def _response(frame: dict[str, Any], result: Answer | Result, form: str) -> Response:
    if isinstance(result, Answer):
        raise ApiError(500, "the model gave another kind of result", code="job_failed")
    notices: tuple[str, ...] = getattr(result, "notices", ())
    plain = frame | written_as(result, form) | {"notices": list(notices)}
    return Response(dumps(plain), media_type="application/json")
