"""How task methods get their results: from a known answer that one pass reads, or from what the model itself writes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from visionllm.answers import last_question
from visionllm.decoders import DetectionDecoder
from visionllm.generation import extend
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.predictor.core import Core, Prepared, first_instances
from visionllm.predictor.edited import edited_there
from visionllm.types import (
    Answer,
    Detections,
    GeneratedImages,
    Part,
    Poses,
    Request,
    Result,
    SemanticMap,
    bones_among,
    merge_detections,
    merge_maps,
)
from visionllm.types.tensors import ModelInputs

Answers = Sequence[Sequence[Part]]
Prepare = Callable[[Sequence[Request], Sequence[Sequence[Part] | None] | None], Prepared]
ResultT = TypeVar("ResultT", bound=Result)


class Kind(ABC, Generic[ResultT]):
    """What a task wants as the result of one request, known or written by the model itself."""

    @abstractmethod
    def known(self, request: Request, found: Sequence[Result], notices: tuple[str, ...]) -> ResultT:
        """Make the result of what the units of a known answer are.

        Args:
            request: What was asked.
            found: One result a unit, in their order.
            notices: What the user should know about the picture.

        Raises:
            ValueError: If the model has no decoder for such a task.
        """

    @abstractmethod
    def free(self, request: Request, answer: Answer) -> ResultT:
        """Make the result of an answer that the model wrote.

        Raises:
            ValueError: If there is no result without what the answer lacks.
        """


@dataclass(frozen=True)
class Things(Kind[Detections]):
    """Things of these names; freely found ones come in this order, and behind them those that the model added.

    Attributes:
        names: What each routed span is called.
    """

    names: tuple[str, ...]

    def known(self, request: Request, found: Sequence[Result], notices: tuple[str, ...]) -> Detections:
        """Join the units."""
        parts = [part for part in found if isinstance(part, Detections)]
        if not parts:
            raise ValueError("expected a model with a detector, got one that only talks")
        whole = first_instances(merge_detections(parts), request.options.max_instances)
        return replace(whole, class_names=self.names, notices=notices)

    def free(self, request: Request, answer: Answer) -> Detections:
        """Number what was found as it was asked for."""
        found = _as_asked(answer.detections or _nothing(request), self.names)
        return first_instances(replace(found, notices=answer.notices), request.options.max_instances)


@dataclass(frozen=True)
class Skeletons(Kind[Poses]):
    """Objects of these names with these keypoints; freely, with those keypoints that the model answered.

    Attributes:
        names: Of the objects.
        keypoints: Of what is looked for on each.
    """

    names: tuple[str, ...]
    keypoints: tuple[str, ...]

    def known(self, request: Request, found: Sequence[Result], notices: tuple[str, ...]) -> Poses:
        """Name what was found."""
        poses = [part for part in found if isinstance(part, Poses)]
        if len(poses) != 1:
            raise ValueError("expected a model with a pose decoder, got one that finds no keypoints")
        return replace(
            first_instances(poses[0], request.options.max_instances),
            class_names=self.names,
            keypoint_names=self.keypoints,
            bones=bones_among(self.keypoints),
            notices=notices,
        )

    def free(self, request: Request, answer: Answer) -> Poses:
        """Number objects and keypoints as they were asked for."""
        found = answer.poses[0] if answer.poses else _no_poses(request, self.keypoints)
        kept = [name for name in self.keypoints if name in found.keypoint_names]
        chosen = [found.keypoint_names.index(name) for name in kept]
        order, ids = _renumbered(found.class_names, self.names)
        return replace(
            found,
            class_ids=ids[found.class_ids],
            class_names=order,
            spans=(),
            keypoints=found.keypoints[:, chosen],
            keypoint_scores=found.keypoint_scores[:, chosen],
            keypoint_names=tuple(kept),
            bones=bones_among(kept),
            notices=answer.notices,
        )


@dataclass(frozen=True)
class MadePicture(Kind[GeneratedImages]):
    """One new or changed picture."""

    def known(self, request: Request, found: Sequence[Result], notices: tuple[str, ...]) -> GeneratedImages:
        """Keep what was not to be changed."""
        made = [part for part in found if isinstance(part, GeneratedImages)]
        if len(made) != 1:
            raise ValueError("expected a model that makes pictures, got one without a decoder for them")
        question = last_question(request.messages)
        return replace(edited_there(made[0], request), labels=(question.strip(),), notices=notices)

    def free(self, request: Request, answer: Answer) -> GeneratedImages:
        """Take the first picture of the answer."""
        if not answer.pictures:
            raise ValueError(f"expected an answer with a picture, got {answer.text!r}; the protocol 'known' makes one")
        return answer.pictures[0]


def read_each(
    core: Core, prepare: Prepare, requests: Sequence[Request], answers: Answers, kinds: Sequence[Kind[ResultT]]
) -> list[ResultT]:
    """Get results by the protocol of the requests' options, all of them at once.

    Args:
        core: The model.
        prepare: Turns requests and answers into tensors.
        requests: All of one protocol.
        answers: The known answer of each.
        kinds: What each is to become.

    Returns:
        One result a request.

    Raises:
        ValueError: As the kinds.
    """
    if is_free(requests):
        written = core.answer(prepare(requests, None))
        return [kind.free(request, answer) for kind, request, answer in zip(kinds, requests, written, strict=True)]
    prepared = prepare(requests, answers)
    units, notices = core.known(prepared, answers), core.notices(prepared)
    return [
        kind.known(request, [unit.found for unit in units if unit.row == row], notices[row])
        for row, (kind, request) in enumerate(zip(kinds, requests, strict=True))
    ]


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
        if is_free([request]):
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
    reading = core.read(request, written.ids)
    start = prepared.inputs.input_ids.shape[1]
    return extend(prepared.inputs, [written]), {start + routed.position: routed.label for routed in reading.routed}


@torch.no_grad()
def _maps(core: Core, prepared: Prepared, whole: ModelInputs, labels: dict[int, str]) -> list[SemanticMap]:
    """Return one map a unit of the detector; `labels` are by place, or by number where nothing was written."""
    decoder = detector_of(core.model)
    queries = core.queries(prepared, whole).get("detection")
    if queries is None or whole.images is None:
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


def detector_of(model: VisionLLMForConditionalGeneration) -> DetectionDecoder:
    """Return the decoder that finds boxes and masks.

    Raises:
        ValueError: If the model has none.
    """
    decoder = dict(model.decoders.items()).get("detection")
    if not isinstance(decoder, DetectionDecoder):
        raise ValueError("expected a model with a detector, got one that only talks")
    return decoder


def is_free(requests: Sequence[Request]) -> bool:
    """Tell whether the model writes its own answers."""
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
