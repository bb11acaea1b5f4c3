"""One picture and questions about it, asked anew each time or after it was encoded once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from PIL import Image
from transformers import Cache

from visionllm.decoders import PoseDecoder
from visionllm.model import EncodedPictures, join_encoded
from visionllm.predictor.core import Core, Prepared, first_instances
from visionllm.predictor.protocols import find, find_maps, find_poses, make_picture
from visionllm.processing import (
    ProcessorConfig,
    known_class_answer,
    known_class_question,
    made_question,
    point_answer,
    point_question,
    pose_answer,
    pose_question,
    refer_answer,
)
from visionllm.processing.prompts import fill, semantic_question
from visionllm.processing.regions import seen_region
from visionllm.types import (
    Answer,
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
    SemanticMap,
    ask,
    merge_detections,
)
from visionllm.types.skeletons import CLASS_SKELETONS
from visionllm.types.tensors import ImageBatch, ModelInputs

PASSES_AT_ONCE = 4
PUBLISHED_CLASSES = 256
"""Most classes of one pass of the published protocol."""
PUBLISHED_CANDIDATES = 300
"""Pairs of object query and region among which the published protocol looks for the best of each region."""


class Questions:
    """Questions about one picture; every question is prepared by `prepare`.

    Args:
        core: The model.
        image: The picture, upright RGB.
    """

    def __init__(self, core: Core, image: Image.Image) -> None:
        self.core, self.image = core, image

    def prepare(self, requests: Sequence[Request], answers: Sequence[Sequence[Part] | None] | None = None) -> Prepared:
        """Turn requests about the picture into tensors."""
        return self.core.prepare(requests, answers)

    def ask(
        self,
        text: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Message] = (),
        options: Options | None = None,
    ) -> Answer:
        """Ask freely; see `VisionLLM.ask`."""
        return self.core.answer(self.prepare([self._question(text, regions, history, options)]))[0]

    def stream(
        self,
        text: str,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Message] = (),
        options: Options | None = None,
    ) -> Iterator[str | Answer]:
        """Ask freely and read along; see `VisionLLM.stream`."""
        yield from self.core.stream(self.prepare([self._question(text, regions, history, options)]))

    def caption(self, *, options: Options | None = None) -> Answer:
        """Describe the picture."""
        return self.ask(self.core.processor.config.prompts.caption, options=options)

    def describe_region(self, region: Region, *, options: Options | None = None) -> Answer:
        """Describe what a region holds."""
        prompts = self.core.processor.config.prompts
        parts = fill(prompts.describe_region, "region", [Mark(region, numbered=prompts.numbered_region)])
        return self.core.answer(self.prepare([self._request(parts, options)]))[0]

    def detect(
        self, classes: Sequence[str], *, question: str | None = None, options: Options | None = None
    ) -> Detections:
        """Find boxes of known classes; see `VisionLLM.detect`."""
        return self._classes(classes, question, replace(options or Options(), masks=False))

    def segment(
        self, classes: Sequence[str], *, question: str | None = None, options: Options | None = None
    ) -> Detections:
        """Find boxes and masks of known classes; see `VisionLLM.segment`."""
        return self._classes(classes, question, replace(options or Options(), masks=True))

    def segment_semantic(self, classes: Sequence[str], *, options: Options | None = None) -> SemanticMap:
        """Give every pixel its class; see `VisionLLM.segment_semantic`."""
        options = options or Options()
        prompts, passes = self.core.processor.config.prompts, self._passes(classes, options)
        here = self if len(passes) == 1 else self.opened()
        answers = [known_class_answer(names, "[SEG]", prompts.segment_answer) for names in passes]
        requests = [self._request([semantic_question(names, prompts.segment)], options) for names in passes]
        return find_maps(self.core, here.prepare, requests, answers, passes)

    def refer(self, phrase: str, *, question: str | None = None, options: Options | None = None) -> Detections:
        """Find the one thing that a phrase means; see `VisionLLM.refer`."""
        if not phrase.strip():
            raise ValueError(f"expected a phrase with words, got {phrase!r}")
        prompts = self.core.processor.config.prompts
        parts = fill(_asking(question, prompts.refer, "phrase"), "phrase", [phrase])
        answer = refer_answer(prompt=prompts.refer_answer)
        request = self._request(parts, replace(options or Options(), max_instances=1))
        return find(self.core, self.prepare, [request], [answer], [[phrase]])[0]

    def pose(
        self, classes: Sequence[str], keypoints: Sequence[str] | None = None, *, options: Options | None = None
    ) -> Poses:
        """Find objects with their keypoints; see `VisionLLM.pose`."""
        names = check_names(classes)
        points = check_names(keypoints_of(names) if keypoints is None else keypoints, "keypoint")
        if "[POSE]" not in self.core.processor.vocabulary.routes:
            raise ValueError("expected a model with a pose decoder, got one that finds no keypoints")
        decoder = self.core.model.decoder("pose")
        if isinstance(decoder, PoseDecoder) and len(points) > decoder.config.keypoints:
            raise ValueError(
                f"expected at most {decoder.config.keypoints} keypoint names, which the model can tell apart, "
                f"got {len(points)}"
            )
        prompts = self.core.processor.config.prompts
        answer = pose_answer(names, points, prompts)
        request = self._request([pose_question(names, points, prompts)], options)
        return find_poses(self.core, self.prepare, request, answer, names, points)

    def edit(self, wish: str, *, regions: Sequence[Region] = (), options: Options | None = None) -> GeneratedImages:
        """Change the picture; see `VisionLLM.edit`."""
        prompts = self.core.processor.config.prompts
        question: list[Part] = [made_question(wish, prompts.edit)]
        for region in regions:
            question += [" ", Mark(region)]
        request = self._request(question, options)
        return make_picture(self.core, self.prepare, request, "[EDIT]", prompts.edit_answer)

    def segment_regions(self, regions: Sequence[Region], *, options: Options | None = None) -> Detections:
        """Segment what each region points at; see `VisionLLM.segment_regions`."""
        prompts, options = self.core.processor.config.prompts, options or Options()
        answer = point_answer(len(regions), prompts)
        threshold = 0.0 if options.threshold is None else options.threshold
        wishes = replace(
            options,
            threshold=threshold,
            candidates=PUBLISHED_CANDIDATES if options.protocol == "published" else options.candidates,
            max_per_class=1,
            max_instances=max(len(regions), 1),
            nms_iou=None,
            masks=True,
        )
        request = self._request(point_question(regions, prompts), wishes)
        labels = [f"region{number}" for number in range(1, len(regions) + 1)]
        (found,) = find(self.core, self.prepare, [request], [answer], [labels])
        return found.select(np.argsort(found.class_ids, kind="stable"))

    def _question(
        self, text: str, regions: Sequence[Region], history: Sequence[Message], options: Options | None
    ) -> Request:
        """Build the request of one question; the picture is shown before everything else."""
        turns = (*history, *ask(text, regions=tuple(regions), options=options).messages)
        first = next(place for place, turn in enumerate(turns) if turn.role == "user")
        shown = replace(turns[first], parts=(Picture(self.image), *turns[first].parts))
        return Request((*turns[:first], shown, *turns[first + 1 :]), options or Options())

    def _request(self, parts: Sequence[Part], options: Options | None) -> Request:
        return Request((Message("user", (Picture(self.image), *parts)),), options or Options())

    def _classes(self, classes: Sequence[str], question: str | None, options: Options) -> Detections:
        prompts, passes = self.core.processor.config.prompts, self._passes(classes, options)
        here = self if len(passes) == 1 else self.opened()
        words = _asking(question, prompts.detect, "names")
        answers = [known_class_answer(names, prompt=prompts.detect_answer) for names in passes]
        requests = [self._request([known_class_question(names, words)], options) for names in passes]
        found: list[Detections] = []
        for start in range(0, len(passes), PASSES_AT_ONCE):
            part = slice(start, start + PASSES_AT_ONCE)
            found += find(self.core, here.prepare, requests[part], answers[part], passes[part])
        return first_instances(merge_detections(found), options.max_instances)

    def _passes(self, classes: Sequence[str], options: Options) -> list[list[str]]:
        return class_passes(classes, classes_of_a_pass(self.core.processor.config, options))

    def opened(self) -> "OpenedImage":
        """Return the same picture, encoded once."""
        return OpenedImage(self.core, self.image)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What was computed about a picture before the first question.

    Attributes:
        ids: The ids that all questions about the picture begin with.
        encoded: What the vision encoder made of it.
        cache: What the language model kept of `ids`.
        images: The decoder image, or None for a model that only talks.
        notices: What the user should know about the picture.
    """

    ids: list[int]
    encoded: EncodedPictures
    cache: Cache
    images: ImageBatch | None
    notices: tuple[str, ...]


class OpenedImage(Questions):
    """A picture that was encoded once, for many questions about it; the answers are those of `VisionLLM`.

    Args:
        core: The model.
        image: The picture, upright RGB.
    """

    def __init__(self, core: Core, image: Image.Image) -> None:
        super().__init__(core, image)
        self.seen = _see(core, image)

    def opened(self) -> Self:
        """Return itself."""
        return self

    def prepare(self, requests: Sequence[Request], answers: Sequence[Sequence[Part] | None] | None = None) -> Prepared:
        """Prepare the part of each request that follows what was seen."""
        processor = self.core.processor
        fits = all(
            len(r.pictures) == 1 and r.pictures[0] is self.image and processor.prefix(r) == self.seen.ids
            for r in requests
        )
        # Beams would need a cache each; other pictures and system words begin with other ids.
        if self.core.deterministic or not fits or any(r.options.num_beams > 1 for r in requests):
            return self.core.prepare(requests, answers)
        known = [None] * len(requests) if answers is None else answers
        rows = [processor.continuation(r, a) for r, a in zip(requests, known, strict=True)]
        return Prepared(
            requests=tuple(requests),
            inputs=self._inputs(requests, rows).to(self.core.model.device),
            encoded=join_encoded([self.seen.encoded] * len(rows)),
            cache=self.seen.cache,
            shared=len(self.seen.ids),
            notices=(self.seen.notices,) * len(rows),
        )

    def _inputs(self, requests: Sequence[Request], rows: Sequence[Sequence[int]]) -> ModelInputs:
        """Put the seen ids, padding, and each row's own ids side by side."""
        seen, processor = self.seen, self.core.processor
        longest = max(len(row) for row in rows)
        pads = [longest - len(row) for row in rows]
        ids = [[*seen.ids, *[processor.vocabulary.pad_id] * pad, *row] for pad, row in zip(pads, rows, strict=True)]
        real = [[True] * len(seen.ids) + [False] * pad + [True] * len(row) for pad, row in zip(pads, rows, strict=True)]
        masks, owners = [], []
        for owner, request in enumerate(requests):
            marks = [part for message in request.messages for part in message.parts if isinstance(part, Mark)]
            for number, mark in enumerate(marks):
                masks.append(
                    seen_region(
                        mark.region,
                        (self.image.height, self.image.width),
                        processor.config.vision,
                        published=processor.config.published_regions,
                        index=number,
                    )
                )
                owners.append(owner)
        return ModelInputs(
            input_ids=torch.tensor(ids),
            attention_mask=torch.tensor(real),
            turn_ids=torch.tensor([[0] * len(seen.ids) + [1] * longest] * len(rows)),
            turn_images=torch.tensor([[-1, -1 if seen.images is None else 0]] * len(rows)),
            region_masks=torch.stack(masks) if masks else None,
            region_pictures=torch.tensor(owners) if masks else None,
            images=seen.images,
        )


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


@torch.no_grad()
def _see(core: Core, image: Image.Image) -> Seen:
    request = ask("?", image)
    prepared = core.prepare([request])
    if prepared.encoded is None:
        raise ValueError("expected a model that sees pictures, got one that encodes none")
    ids = core.processor.prefix(request)
    first = replace(
        prepared.inputs,
        input_ids=torch.tensor([ids], device=core.model.device),
        attention_mask=torch.ones(1, len(ids), dtype=torch.bool, device=core.model.device),
        turn_ids=torch.zeros(1, len(ids), dtype=torch.long, device=core.model.device),
        region_masks=None,
        region_pictures=None,
    )
    nothing = torch.arange(0, device=core.model.device)
    cache = core.model.read(first, encoded=prepared.encoded, use_cache=True, logits_to_keep=nothing).past_key_values
    if cache is None:
        raise ValueError("expected a language model that keeps a cache, got one that does not")
    return Seen(
        ids=ids,
        encoded=prepared.encoded,
        cache=cache,
        images=prepared.inputs.images,
        notices=core.notices_about([image]),
    )
