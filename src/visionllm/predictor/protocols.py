"""How task methods get their results: from a known answer that one pass reads, or from what the model itself writes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from visionllm.answers import last_question, read_answer
from visionllm.decoders import DetectionDecoder
from visionllm.generation import extend
from visionllm.predictor.core import Core, Prepared, first_instances
from visionllm.processing import made_answer
from visionllm.types import (
    Detections,
    GeneratedImages,
    Part,
    Poses,
    Request,
    SemanticMap,
    bones_among,
    merge_maps,
)
from visionllm.types.tensors import ModelInputs

Answers = Sequence[Sequence[Part]]
Prepare = Callable[[Sequence[Request], Sequence[Sequence[Part] | None] | None], Prepared]


def find(
    core: Core, prepare: Prepare, requests: Sequence[Request], answers: Answers, names: Sequence[Sequence[str]]
) -> list[Detections]:
    """Find things by the protocol of the requests' options.

    Args:
        core: The model.
        prepare: Turns requests and answers into tensors.
        requests: All of one protocol.
        answers: The known answer of each.
        names: What each routed span of it is called.

    Returns:
        One result a request. In the free protocol names come in the order that they were asked in, and behind them
        those that the model added.

    Raises:
        ValueError: If the model has no detector.
    """
    if not _free(requests):
        return core.known(prepare(requests, answers), answers, names)
    written = core.answer(prepare(requests, None))
    results = []
    for request, answer, asked in zip(requests, written, names, strict=True):
        found = answer.detections or _nothing(request)
        named = replace(_as_asked(found, asked), notices=answer.notices)
        results.append(first_instances(named, request.options.max_instances))
    return results


def find_poses(
    core: Core,
    prepare: Prepare,
    request: Request,
    answer: Sequence[Part],
    names: Sequence[str],
    keypoints: Sequence[str],
) -> Poses:
    """Find poses by the protocol of the request's options; freely, with those keypoints that the model answered.

    Raises:
        ValueError: If the model has no pose decoder.
    """
    if not _free([request]):
        return core.known_poses(prepare([request], [answer]), [answer], [(names, keypoints)])[0]
    (written,) = core.answer(prepare([request], None))
    found = written.poses[0] if written.poses else _no_poses(request, keypoints)
    kept = [name for name in keypoints if name in found.keypoint_names]
    chosen = [found.keypoint_names.index(name) for name in kept]
    order, ids = _renumbered(found.class_names, names)
    return replace(
        found,
        class_ids=ids[found.class_ids],
        class_names=order,
        spans=(),
        keypoints=found.keypoints[:, chosen],
        keypoint_scores=found.keypoint_scores[:, chosen],
        keypoint_names=tuple(kept),
        bones=bones_among(kept),
        notices=written.notices,
    )


def make_picture(core: Core, prepare: Prepare, request: Request, token: str, prompt: str) -> GeneratedImages:
    """Answer a request by one new picture, by the protocol of its options.

    Args:
        core: The model.
        prepare: Turns requests and answers into tensors.
        request: What is wanted.
        token: Routes to the decoder.
        prompt: The known answer.

    Raises:
        ValueError: If the model has no such decoder, or answers freely without a picture.
    """
    if token not in core.processor.vocabulary.routes:
        raise ValueError("expected a model that makes pictures, got one without a decoder for them")
    if not _free([request]):
        answer = made_answer(token, prompt)
        return core.known_pictures(prepare([request], [answer]), [answer])[0]
    (written,) = core.answer(prepare([request], None))
    if not written.pictures:
        raise ValueError(f"expected an answer with a picture, got {written.text!r}; the protocol 'known' makes one")
    return written.pictures[0]


def find_maps(
    core: Core, prepare: Prepare, requests: Sequence[Request], answers: Answers, names: Sequence[Sequence[str]]
) -> SemanticMap:
    """Give every pixel of a picture its class; each request asks for some of the classes.

    Args:
        core: The model.
        prepare: Turns requests and answers into tensors.
        requests: About one picture, all of one protocol.
        answers: The known answer of each.
        names: The classes of each.

    Raises:
        ValueError: If the model has no detector, or names no class in a free answer.
    """
    maps: list[SemanticMap] = []
    for request, answer, some in zip(requests, answers, names, strict=True):
        if _free([request]):
            prepared = prepare([request], None)
            whole, labels = _written(core, prepared)
        else:
            prepared = prepare([request], [answer])
            whole, labels = prepared.inputs, dict(enumerate(some))
        maps += _maps(core, prepared, whole, labels)
    if not maps:
        raise ValueError("expected an answer that routes a class, got none; the protocol 'known' routes every class")
    return _map_as_asked(merge_maps(maps), [name for some in names for name in some])


@torch.no_grad()
def _written(core: Core, prepared: Prepared) -> tuple[ModelInputs, dict[int, str]]:
    """Let the model write one answer; return the finished row and the words of each routing token, by its place."""
    (request,) = prepared.requests
    (written,) = core.write(prepared)
    reading = read_answer(
        written.ids,
        core.processor.vocabulary,
        prompts=core.processor.config.prompts,
        question=last_question(request.messages),
    )
    start = prepared.inputs.input_ids.shape[1]
    return extend(prepared.inputs, [written]), {start + routed.position: routed.label for routed in reading.routed}


@torch.no_grad()
def _maps(core: Core, prepared: Prepared, whole: ModelInputs, labels: dict[int, str]) -> list[SemanticMap]:
    """Return one map a unit of the detector; `labels` are by place, or by number where nothing was written."""
    decoder = dict(core.model.decoders.items()).get("detection")
    if not isinstance(decoder, DetectionDecoder) or whole.images is None:
        raise ValueError("expected a model with a detector, got one that only talks")
    queries = core.queries(prepared, whole).get("detection")
    if queries is None:
        return []
    free = whole is not prepared.inputs
    notices = core.notices(prepared)[0]
    maps, number = [], 0
    for (ids, scores), places in zip(
        decoder.decode_maps(queries, whole.images.seen_by("detection")), queries.positions.tolist(), strict=True
    ):
        real = [place for place in places if place >= 0]
        keys = real if free else range(number, number + len(real))
        number += len(real)
        if not all(key in labels for key in keys):  # an earlier answer of the conversation
            continue
        names = tuple(labels[key] for key in keys)
        maps.append(
            SemanticMap(class_ids=ids.cpu().numpy(), scores=scores.cpu().numpy(), class_names=names, notices=notices)
        )
    return maps


def _free(requests: Sequence[Request]) -> bool:
    return bool(requests) and requests[0].options.protocol == "free"


def _renumbered(said: Sequence[str], asked: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names that were asked for and those that were added, and the new number of each that was said."""
    order = [*asked]
    numbers = {name.strip().casefold(): number for number, name in enumerate(asked)}
    ids = []
    for name in said:
        key = name.strip().casefold()
        if key not in numbers:
            numbers[key] = len(order)
            order.append(name.strip())
        ids.append(numbers[key])
    return tuple(order), np.array(ids, dtype=np.int64)


def _as_asked(found: Detections, asked: Sequence[str]) -> Detections:
    """Give freely found things the numbers of the names that were asked for."""
    order, ids = _renumbered(found.class_names, asked)
    routes = dict(zip(ids.tolist(), found.routes, strict=False))
    known = next(iter(routes.values()), "[DET]")
    return replace(
        found,
        class_ids=ids[found.class_ids],
        class_names=order,
        routes=tuple(routes.get(number, known) for number in range(len(order))),
        spans=(),
    )


def _map_as_asked(found: SemanticMap, asked: Sequence[str]) -> SemanticMap:
    order, ids = _renumbered(found.class_names, asked)
    return replace(found, class_ids=ids[found.class_ids], class_names=order)


def _size(request: Request) -> tuple[int, int]:
    picture = request.pictures[-1]
    return picture.height, picture.width


def _nothing(request: Request) -> Detections:
    size = _size(request)
    return Detections(
        boxes=np.zeros((0, 4), dtype=np.float32),
        scores=np.zeros(0, dtype=np.float32),
        class_ids=np.zeros(0, dtype=np.int64),
        size_hw=size,
        masks=np.zeros((0, *size), dtype=np.bool_) if request.options.masks else None,
    )


def _no_poses(request: Request, keypoints: Sequence[str]) -> Poses:
    return Poses(
        boxes=np.zeros((0, 4), dtype=np.float32),
        scores=np.zeros(0, dtype=np.float32),
        class_ids=np.zeros(0, dtype=np.int64),
        keypoints=np.zeros((0, len(keypoints), 2), dtype=np.float32),
        keypoint_scores=np.zeros((0, len(keypoints)), dtype=np.float32),
        size_hw=_size(request),
        keypoint_names=tuple(keypoints),
    )
