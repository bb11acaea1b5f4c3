"""Results as files: PNG, JSON, COCO. The browser gets them as data URLs, so that nothing lies on the server's disk."""

import base64
from dataclasses import replace
from io import BytesIO

from PIL import Image

from visionllm.rendering import draw_results
from visionllm.server.page.session import Session
from visionllm.server.page.words import Told
from visionllm.server.results import FORMS
from visionllm.server.streaming import dumps
from visionllm.types import Answer, Detections, Poses, Result, SemanticMap
from visionllm.types.results import merge_detections

KINDS = {"png": "image/png", "json": "application/json", "coco": "application/json"}


def saved(session: Session, kind: str, threshold: float) -> str:
    """Return a file as JSON of its name and data URL, for the browser to save.

    Args:
        session: What is saved.
        kind: One of `KINDS`.
        threshold: Lowest score of what is saved.

    Raises:
        Told: If there is nothing to save.
        ApiError: If a number is NaN.
    """
    if session.picture is None:
        raise Told("There is no picture yet, so there is nothing to save.")
    results = tuple(above(result, threshold) for result in session.results)
    if kind == "png":
        content = _png(_painted(session.picture, results))
    elif kind == "json":
        content = dumps({"results": [result.to_dict() for result in results]})
    else:
        content = _coco(results)
    data = base64.b64encode(content).decode("ascii")
    name = "visionllm-coco.json" if kind == "coco" else f"visionllm.{kind}"
    return dumps({"name": name, "url": f"data:{KINDS[kind]};base64,{data}"}).decode()


def above(result: Result, threshold: float) -> Result:
    """Return what has at least a score."""
    return result.select(result.scores >= threshold) if isinstance(result, Detections | Poses) else result


def _painted(picture: Image.Image, results: tuple[Result, ...]) -> Image.Image:
    boxes = [result for result in results if isinstance(result, Detections)]
    poses = tuple(result for result in results if isinstance(result, Poses))
    for result in results:
        if isinstance(result, SemanticMap):
            return result.render(picture)
    return draw_results(picture, Answer(text="", detections=_joined(boxes) if boxes else None, poses=poses))


def _joined(parts: list[Detections]) -> Detections:
    """Join detections; masks stay only where all have them."""
    if len({part.masks is None for part in parts}) > 1:
        parts = [replace(part, masks=None) for part in parts]
    return parts[0] if len(parts) == 1 else merge_detections(parts)


def _coco(results: tuple[Result, ...]) -> bytes:
    boxes = [result for result in results if isinstance(result, Detections)]
    if not boxes:
        raise Told("COCO files hold boxes and masks, and none were found. JSON holds everything.")
    return dumps(FORMS["coco"].write(_joined(boxes)))


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
