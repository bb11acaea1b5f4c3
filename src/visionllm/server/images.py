"""`POST /v1/images/generations` and `/v1/images/edits`: new pictures, and changed ones."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from visionllm.engine.jobs import Creation, Job
from visionllm.server.errors import ApiError
from visionllm.server.intake import Intake
from visionllm.server.reading import StrictRoute
from visionllm.server.results import one_of
from visionllm.server.schema.base import OptionsBody, options_of
from visionllm.server.schema.images import EditFields, GenerationBody, size_hw
from visionllm.server.service import Service, Work
from visionllm.server.streaming import dumps
from visionllm.types import GeneratedImages, Options

router = APIRouter(route_class=StrictRoute)
FILES = ("image", "image[]", "mask")
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "prompt", "model"],
                    "properties": {
                        "image": {"type": "string", "format": "binary"},
                        "mask": {"type": "string", "format": "binary"},
                        **EditFields.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}


@router.post("/v1/images/generations")
async def generate(body: GenerationBody, request: Request) -> Response:
    """Make new pictures."""
    service: Service = request.app.state.service
    service.check_model(body.model)
    options = _seeded(service, body, body.options)
    return await _made(service, request, lambda _: [Creation(words=body.prompt, options=some()) for some in options])


@router.post("/v1/images/edits", openapi_extra=FORM)
async def edit(request: Request) -> Response:
    """Make changed copies of a picture; the rest of it stays as it is where there is a mask."""
    service: Service = request.app.state.service
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError(415, "expected a form, multipart/form-data, got something else", code="unsupported_media_type")
    async with request.form(max_files=len(FILES), max_fields=20, max_part_size=100_000) as form:
        fields, files = await _read(form)
    service.check_model(fields.model)
    given = {"steps", "guidance", "image_guidance", "scheduler"}
    options = _seeded(service, fields, OptionsBody(**fields.model_dump(include=given)))

    def build(intake: Intake) -> list[Job]:
        image = intake.file(files["image"], "image")
        size = (image.height, image.width)
        regions = (intake.mask(files["mask"], size, "mask"),) if "mask" in files else ()
        return [Creation(words=fields.prompt, image=image, regions=regions, options=some()) for some in options]

    return await _made(service, request, build)


async def _read(form: FormData) -> tuple[EditFields, dict[str, bytes]]:
    """Return the fields and the files of a form.

    Raises:
        ApiError: If a file is missing, one too many or in the place of words.
        RequestValidationError: If a field is wrong.
    """
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in form.multi_items():
        is_file = isinstance(value, UploadFile)
        key = name.removesuffix("[]") if is_file else name
        if key in fields or key in files:
            raise ApiError(400, f"expected {key[:100]!r} once, got it twice", code="invalid_value", param=key[:100])
        if is_file != (name in FILES):
            expected = "a file" if name in FILES else "no such file"
            raise ApiError(400, f"expected {expected}, got another field", code="invalid_value", param=name[:100])
        if isinstance(value, UploadFile):
            files[key] = await value.read()
        else:
            fields[key] = value
    if "image" not in files:
        raise ApiError(400, "expected a file 'image', got none", code="missing_required_parameter", param="image")
    try:
        return EditFields.model_validate(fields), files
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _seeded(
    service: Service, body: GenerationBody | EditFields, given: OptionsBody | None
) -> list[Callable[[], Options]]:
    """Return what makes the options of each picture; every one has a seed of its own.

    Raises:
        ApiError: If the pictures would be too large.
    """
    size, most = size_hw(body.size), service.longest_made
    if size is not None and max(size) > most:
        raise ApiError(
            400, f"expected sides of at most {most} pixels, got {body.size}", code="invalid_size", param="size"
        )
    seeds = range(body.seed or 0, (body.seed or 0) + (body.n or 1))
    return [lambda seed=seed: options_of(given, seed=seed, size_hw=size) for seed in seeds]


async def _made(service: Service, request: Request, build: Callable[[Intake], list[Job]]) -> Response:
    work = Work(service, request)
    await work.start(build)
    made: list[GeneratedImages] = [one_of(result, GeneratedImages) for result in await work.results()]
    return await asyncio.to_thread(_pictures, made)


def _pictures(made: list[GeneratedImages]) -> Response:
    data: list[dict[str, Any]] = [
        {"b64_json": picture["png"], "seed": picture["seed"], "size_hw": picture["size_hw"]}
        for some in made
        for picture in some.to_dict()["instances"]
    ]
    notices = list(dict.fromkeys(notice for some in made for notice in some.notices))
    plain = {"created": int(time.time()), "output_format": "png", "data": data, "notices": notices}
    return Response(dumps(plain), media_type="application/json")
