"""Results as plain data: our own, which state their space, and those of other tools' formats."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from visionllm.engine.errors import NotFinite
from visionllm.formats import (
    to_coco_dataset,
    to_florence2,
    to_labelstudio,
    to_qwen,
    to_supervision_plain,
    to_yolo,
)
from visionllm.server.errors import ApiError, from_engine
from visionllm.types import Answer, Detections, Result, Routed

PICTURE = "image"
"""What other tools' formats call the picture of a request."""


class Form(NamedTuple):
    """A format of another tool: how it is written, and where its boxes are."""

    write: Callable[[Detections], Any]
    space: str


def _coco(found: Detections) -> dict[str, Any]:
    dataset = to_coco_dataset({PICTURE: found})
    for annotation, score in zip(dataset["annotations"], found.scores.tolist(), strict=True):
        annotation["score"] = score
    return dataset


FORMS = {
    "coco": Form(_coco, "x, y, width, height in pixels of the original image"),
    "yolo": Form(to_yolo, "cx, cy, width, height in shares of the original image; no masks"),
    "labelstudio": Form(lambda found: to_labelstudio(found, PICTURE), "x, y, width, height in % of the original image"),
    "supervision": Form(to_supervision_plain, "xyxy pixels of the original image, x1 and y1 exclusive"),
    "florence2": Form(to_florence2, "xyxy pixels of the original image; no scores, no masks"),
    "qwen": Form(to_qwen, "xyxy whole pixels of the original image; no scores, no masks"),
}


def written_as(result: Result, form: str) -> dict[str, Any]:
    """Return a result in a format, with its space.

    Raises:
        ApiError: If a box or score is NaN or infinite, which a format of texts or whole numbers would hide.
        ValueError: If the format holds boxes only, and these are none.
    """
    if form == "visionllm":
        plain = result.to_dict()
        return {"space": plain.get("space"), "result": plain}
    if not isinstance(result, Detections):
        raise ValueError(f"expected a task that finds boxes for the format {form}, got another one")
    if not (np.isfinite(result.boxes).all() and np.isfinite(result.scores).all()):
        raise from_engine(NotFinite())
    return {"space": FORMS[form].space, "result": FORMS[form].write(result)}


def results_of(answer: Answer) -> tuple[Result, ...]:
    """Return everything that an answer routed, in its order of kinds."""
    found = () if answer.detections is None else (answer.detections,)
    return (*found, *answer.poses, *answer.pictures, *answer.others)


def parts_of(answer: Answer) -> list[dict[str, Any]]:
    """Return an answer as parts of an assistant message, for the history of the next question; empty without routes."""
    parts: list[dict[str, Any]] = []
    for part in answer.parts:
        if isinstance(part, Routed):
            parts.append({"type": "routed", "text": part.text, "token": part.token, "wrapped": part.wrapped})
        else:
            parts.append({"type": "text", "text": part})
    return parts


def one_of(result: Answer | Result, kind: type[Any]) -> Any:
    """Return a result of the kind that the job asked for.

    Raises:
        ApiError: If the engine gave another one.
    """
    if not isinstance(result, kind):
        raise ApiError(500, "the model gave another kind of result", code="job_failed")
    return result


def usage(prompt: int, answers: Sequence[Answer]) -> dict[str, int]:
    """Return the tokens of a request; slots and pictures count in the prompt, not in the answer."""
    written = sum(answer.tokens for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
