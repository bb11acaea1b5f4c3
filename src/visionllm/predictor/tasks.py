"""Tasks as data: what is asked of the model, the answer that is known, and what the result is to be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from PIL import Image

from visionllm.decoders import PoseDecoder
from visionllm.predictor.core import Core, first_instances
from visionllm.predictor.protocols import Kind, MadePicture, Prepare, Skeletons, Things, read_each
from visionllm.processing import (
    ProcessorConfig,
    known_class_answer,
    known_class_question,
    made_answer,
    made_question,
    point_answer,
    point_question,
    pose_answer,
    pose_question,
    refer_answer,
)
from visionllm.processing.prompts import fill
from visionllm.types import (
    Detections,
    GeneratedImages,
    Mark,
    Message,
    Options,
    Part,
    Picture,
    Poses,
    Region,
    Request,
    Result,
    merge_detections,
)
from visionllm.types.skeletons import CLASS_SKELETONS

PASSES_AT_ONCE = 4
PUBLISHED_CLASSES = 256
"""Most classes of one pass of the published protocol."""
PUBLISHED_CANDIDATES = 300
"""Pairs of object query and region among which the published protocol looks for the best of each region."""
ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True, kw_only=True, eq=False)
class Task(Generic[ResultT]):
    """Questions, one a pass, whose results become one.

    Attributes:
        requests: All of one protocol.
        answers: The known answer of each.
        kinds: What each is to become.
        join: Makes one result of those of all passes.
    """

    requests: tuple[Request, ...]
    answers: tuple[tuple[Part, ...], ...]
    kinds: tuple[Kind[ResultT], ...]
    join: Callable[[Sequence[ResultT]], ResultT] = lambda results: results[0]

    def run(self, core: Core, prepare: Prepare) -> ResultT:
        """Get the result.

        Args:
            core: The model.
            prepare: Turns requests and answers into tensors.

        Raises:
            ValueError: If a request is malformed, or the model cannot do such a task.
        """
        results: list[ResultT] = []
        for start in range(0, len(self.requests), PASSES_AT_ONCE):
            part = slice(start, start + PASSES_AT_ONCE)
            results += read_each(core, prepare, self.requests[part], self.answers[part], self.kinds[part])
        return self.join(results)


def detect_task(
    core: Core, image: Image.Image, classes: Sequence[str], *, question: str | None = None, options: Options
) -> Task[Detections]:
    """Find everything of known classes; see `VisionLLM.detect`."""
    prompts = core.processor.config.prompts
    passes = class_passes(classes, classes_of_a_pass(core.processor.config, options))
    words = _asking(question, prompts.detect, "names")
    return Task(
        requests=tuple(about(image, [known_class_question(names, words)], options) for names in passes),
        answers=tuple(known_class_answer(names, prompt=prompts.detect_answer) for names in passes),
        kinds=tuple(Things(tuple(names)) for names in passes),
        join=lambda found: first_instances(merge_detections(found), options.max_instances),
    )


def refer_task(
    core: Core, image: Image.Image, phrase: str, *, question: str | None = None, options: Options
) -> Task[Detections]:
    """Find the one thing that a phrase means; see `VisionLLM.refer`."""
    if not phrase.strip():
        raise ValueError(f"expected a phrase with words, got {phrase!r}")
    prompts = core.processor.config.prompts
    parts = fill(_asking(question, prompts.refer, "phrase"), "phrase", [phrase])
    return Task(
        requests=(about(image, parts, replace(options, max_instances=1)),),
        answers=(refer_answer(prompt=prompts.refer_answer),),
        kinds=(Things((phrase,)),),
    )


def pose_task(
    core: Core, image: Image.Image, classes: Sequence[str], keypoints: Sequence[str] | None, options: Options
) -> Task[Poses]:
    """Find objects with their keypoints; see `VisionLLM.pose`."""
    names = check_names(classes)
    points = check_names(keypoints_of(names) if keypoints is None else keypoints, "keypoint")
    if "[POSE]" not in core.processor.vocabulary.routes:
        raise ValueError("expected a model with a pose decoder, got one that finds no keypoints")
    decoder = core.model.decoder("pose")
    if isinstance(decoder, PoseDecoder) and len(points) > decoder.config.keypoints:
        raise ValueError(
            f"expected at most {decoder.config.keypoints} keypoint names, which the model can tell apart, "
            f"got {len(points)}"
        )
    prompts = core.processor.config.prompts
    return Task(
        requests=(about(image, [pose_question(names, points, prompts)], options),),
        answers=(pose_answer(names, points, prompts),),
        kinds=(Skeletons(tuple(names), tuple(points)),),
    )


def regions_task(core: Core, image: Image.Image, regions: Sequence[Region], options: Options) -> Task[Detections]:
    """Segment what each region points at; see `VisionLLM.segment_regions`."""
    prompts = core.processor.config.prompts
    wishes = replace(
        options,
        threshold=0.0 if options.threshold is None else options.threshold,
        candidates=PUBLISHED_CANDIDATES if options.protocol == "published" else options.candidates,
        max_per_class=1,
        max_instances=max(len(regions), 1),
        nms_iou=None,
        masks=True,
    )
    answer = point_answer(len(regions), prompts)
    return Task(
        requests=(about(image, point_question(regions, prompts), wishes),),
        answers=(answer,),
        kinds=(Things(tuple(f"region{number}" for number in range(1, len(regions) + 1))),),
        join=lambda found: found[0].select(np.argsort(found[0].class_ids, kind="stable")),
    )


def draw_task(core: Core, caption: str, options: Options) -> Task[GeneratedImages]:
    """Make a new picture; see `VisionLLM.generate`."""
    prompts = core.processor.config.prompts
    request = Request((Message("user", (made_question(caption, prompts.draw),)),), options)
    return _making(core, request, "[GEN]", prompts.draw_answer)


def edit_task(
    core: Core, image: Image.Image, wish: str, regions: Sequence[Region], options: Options
) -> Task[GeneratedImages]:
    """Change a picture; see `VisionLLM.edit`."""
    prompts = core.processor.config.prompts
    question: list[Part] = [made_question(wish, prompts.edit)]
    for region in regions:
        question += [" ", Mark(region)]
    return _making(core, about(image, question, options), "[EDIT]", prompts.edit_answer)


def _making(core: Core, request: Request, token: str, prompt: str) -> Task[GeneratedImages]:
    if token not in core.processor.vocabulary.routes:
        raise ValueError("expected a model that makes pictures, got one without a decoder for them")
    return Task(requests=(request,), answers=(made_answer(token, prompt),), kinds=(MadePicture(),))


def about(image: Image.Image, parts: Sequence[Part], options: Options) -> Request:
    """Return a question of these parts about one picture, which is shown before them."""
    return Request((Message("user", (Picture(image), *parts)),), options)


def check_names(names: Sequence[str], what: str = "class") -> list[str]:
    """Return the names of classes or of something else without blanks around them.

    Raises:
        ValueError: If there is no name, or one is blank or comes twice.
    """
    if isinstance(names, str) or not names:
        raise ValueError(f"expected a list of at least one {what} name, got {names!r}")
    clean = [name.strip() for name in names]
    for place, name in enumerate(clean):
        if not name:
            raise ValueError(f"expected words in {what} name {place}, got {names[place]!r}")
        if name in clean[:place]:
            raise ValueError(f"expected different {what} names, got {name!r} twice")
    return clean


def keypoints_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the keypoints that all these classes have by themselves.

    Raises:
        ValueError: If no skeleton is known for one, or they differ.

    >>> keypoints_of(["person"])[:3]
    ('nose', 'left eye', 'right eye')
    """
    known = [CLASS_SKELETONS.get(name) for name in names]
    missing = [name for name, skeleton in zip(names, known, strict=True) if skeleton is None]
    if missing:
        raise ValueError(f"expected the names of keypoints for {missing[0]!r}, which has none by itself, got none")
    found = {skeleton.names for skeleton in known if skeleton is not None}
    if len(found) != 1:
        raise ValueError(f"expected the names of keypoints for {', '.join(names)}, whose own differ, got none")
    return found.pop()


def class_passes(classes: Sequence[str], most: int) -> list[list[str]]:
    """Split a list of classes into passes of at most `most`, all about equally long.

    Raises:
        ValueError: As `check_names`.

    >>> class_passes(["star", "fish", "cup"], 2)
    [['star', 'fish'], ['cup']]
    """
    names = check_names(classes)
    number = -(-len(names) // most)
    size = -(-len(names) // number)
    return [names[start : start + size] for start in range(0, len(names), size)]


def classes_of_a_pass(config: ProcessorConfig, options: Options) -> int:
    """Return how many classes one pass may read."""
    return PUBLISHED_CLASSES if options.protocol == "published" else config.classes_per_pass


def _asking(question: str | None, own: str, placeholder: str) -> str:
    """Return the question to ask: the model's own, or another one with the same placeholder."""
    if question is not None and question.count(f"{{{placeholder}}}") != 1:
        raise ValueError(f"expected {{{placeholder}}} once in the question, got {question!r}")
    return own if question is None else question
