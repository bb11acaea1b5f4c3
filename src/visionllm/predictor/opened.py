"""One picture and questions about it, asked anew each time or after it was encoded once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from PIL import Image
from transformers import Cache

from visionllm.model import EncodedPictures, join_encoded
from visionllm.predictor.core import Core, Prepared
from visionllm.predictor.protocols import find_maps
from visionllm.predictor.tasks import (
    ResultT,
    Task,
    about,
    class_passes,
    classes_of_a_pass,
    detect_task,
    edit_task,
    pose_task,
    refer_task,
    regions_task,
)
from visionllm.processing import known_class_answer
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
)
from visionllm.types.tensors import ImageBatch, ModelInputs


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
        return self.core.answer(self.prepare([about(self.image, parts, options or Options())]))[0]

    def detect(
        self, classes: Sequence[str], *, question: str | None = None, options: Options | None = None
    ) -> Detections:
        """Find boxes of known classes; see `VisionLLM.detect`."""
        wishes = replace(options or Options(), masks=False)
        return self._run(detect_task(self.core, self.image, classes, question=question, options=wishes))

    def segment(
        self, classes: Sequence[str], *, question: str | None = None, options: Options | None = None
    ) -> Detections:
        """Find boxes and masks of known classes; see `VisionLLM.segment`."""
        wishes = replace(options or Options(), masks=True)
        return self._run(detect_task(self.core, self.image, classes, question=question, options=wishes))

    def segment_semantic(self, classes: Sequence[str], *, options: Options | None = None) -> SemanticMap:
        """Give every pixel its class; see `VisionLLM.segment_semantic`."""
        requests, answers, passes = self.semantic_passes(classes, options or Options())
        here = self if len(passes) == 1 else self.opened()
        return find_maps(self.core, here.prepare, requests, answers, passes)

    def semantic_passes(
        self, classes: Sequence[str], options: Options
    ) -> tuple[list[Request], list[tuple[Part, ...]], list[list[str]]]:
        """Return the questions for a map of classes, the known answers, and the classes of each pass."""
        prompts = self.core.processor.config.prompts
        passes = class_passes(classes, classes_of_a_pass(self.core.processor.config, options))
        answers = [known_class_answer(names, "[SEG]", prompts.segment_answer) for names in passes]
        requests = [about(self.image, [semantic_question(names, prompts.segment)], options) for names in passes]
        return requests, answers, passes

    def refer(self, phrase: str, *, question: str | None = None, options: Options | None = None) -> Detections:
        """Find the one thing that a phrase means; see `VisionLLM.refer`."""
        return self._run(refer_task(self.core, self.image, phrase, question=question, options=options or Options()))

    def pose(
        self, classes: Sequence[str], keypoints: Sequence[str] | None = None, *, options: Options | None = None
    ) -> Poses:
        """Find objects with their keypoints; see `VisionLLM.pose`."""
        return self._run(pose_task(self.core, self.image, classes, keypoints, options or Options()))

    def edit(self, wish: str, *, regions: Sequence[Region] = (), options: Options | None = None) -> GeneratedImages:
        """Change the picture; see `VisionLLM.edit`."""
        return self._run(edit_task(self.core, self.image, wish, regions, options or Options()))

    def segment_regions(self, regions: Sequence[Region], *, options: Options | None = None) -> Detections:
        """Segment what each region points at; see `VisionLLM.segment_regions`."""
        return self._run(regions_task(self.core, self.image, regions, options or Options()))

    def _run(self, task: Task[ResultT]) -> ResultT:
        here = self if len(task.requests) == 1 else self.opened()
        return task.run(self.core, here.prepare)

    def _question(
        self, text: str, regions: Sequence[Region], history: Sequence[Message], options: Options | None
    ) -> Request:
        """Build the request of one question; the picture is shown before everything else."""
        turns = (*history, *ask(text, regions=tuple(regions), options=options).messages)
        first = next(place for place, turn in enumerate(turns) if turn.role == "user")
        shown = replace(turns[first], parts=(Picture(self.image), *turns[first].parts))
        return Request((*turns[:first], shown, *turns[first + 1 :]), options or Options())

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
