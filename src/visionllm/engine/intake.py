"""From a job to rows of the language model: what can be wrong with a job is found here, before the model runs."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from PIL import Image
from torch import Tensor

from visionllm.engine.answering import Answering, UnitWork
from visionllm.engine.errors import ContextLengthExceeded
from visionllm.engine.jobs import Creation, Job, Perception
from visionllm.engine.pictures import PictureKeys
from visionllm.engine.rows import Prompt, Row
from visionllm.engine.ticket import Ticket
from visionllm.generation import end_ids
from visionllm.predictor import (
    Core,
    Questions,
    Task,
    detect_task,
    detector_of,
    draw_task,
    edit_task,
    is_free,
    like_task,
    pose_task,
    refer_task,
    regions_task,
)
from visionllm.super_link import find_units
from visionllm.types import Answer, Part, Request, Result
from visionllm.types.tensors import ImageBatch

REMEMBERED = 1024
"""Pictures of which it is remembered what the user should know about them."""
Alone = Callable[[], Answer | Result]


@dataclass(kw_only=True, eq=False)
class Work:
    """A job on its way.

    Attributes:
        ticket: Hears of it.
        deadline: When it must be done, on the clock of `time.monotonic`.
        rows: Its rows; none for a job that runs alone.
        task: What the rows are to become; None for a request, whose one row is its answer.
        alone: Runs a job that cannot share a batch.
        answerings: What writing rows say, in the order of the rows.
        known: Units of rows with known answers, row by row, as far as the rows were read.
    """

    ticket: Ticket
    deadline: float
    rows: list[Row]
    task: Task[Any] | None = None
    alone: Alone | None = None
    answerings: list[Answering]
    known: dict[int, list[UnitWork]]

    def result(self, core: Core) -> Answer | Result:
        """Put the result together, once all rows and units are done."""
        answers = [answering.answer() for answering in self.answerings]
        if self.task is None:
            return answers[0]
        results = []
        for number, (request, kind) in enumerate(zip(self.task.requests, self.task.kinds, strict=True)):
            if answers:
                results.append(kind.free(request, answers[number]))
                continue
            found = [unit.result for unit in self.known[number] if unit.result is not None]
            results.append(kind.known(request, found, self.rows[number].prompt.notices))
        return self.task.join(results)

    @property
    def units(self) -> list[UnitWork]:
        """All units that are known so far."""
        written = [unit for answering in self.answerings for unit in answering.units]
        return written + [unit for units in self.known.values() for unit in units]


class Intake:
    """Turns jobs into work; many threads may call it at once.

    Args:
        core: The model.
        keys: Names pictures and prefixes.
        batches: The language model reads through the engine's cache.
    """

    def __init__(self, core: Core, keys: PictureKeys, *, batches: bool) -> None:
        self.core, self.keys, self.batches = core, keys, batches
        self.ends = end_ids(core.model)
        self._notices: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def take(self, job: Job, tenant: str, ticket: Ticket, deadline: float) -> Work:
        """Check a job and prepare its rows.

        Raises:
            ContextLengthExceeded: If a prompt, with the answer that may follow it, is longer than the context.
            ValueError: If the job is malformed, or the model cannot do it.
        """
        work = Work(ticket=ticket, deadline=deadline, rows=[], answerings=[], known={})
        if isinstance(job, Perception) and job.task == "semantic":
            questions = Questions(self.core, job.image)
            maps, answers, _ = questions.semantic_passes(job.names, job.options)
            detector_of(self.core.model)
            for request, answer in zip(maps, answers, strict=True):
                self._prompt(request, None if is_free(maps) else answer, tenant)
            work.alone = lambda: questions.segment_semantic(job.names, options=job.options)
            return work
        task = None if isinstance(job, Request) else self._task(job)
        asked: Sequence[Request] = [job] if isinstance(job, Request) else task.requests if task is not None else []
        writes = task is None or is_free(asked)
        known: Sequence[Sequence[Part] | None] = [None] * len(asked) if task is None or writes else task.answers
        prompts = [self._prompt(request, answer, tenant) for request, answer in zip(asked, known, strict=True)]
        if task is not None and not writes:
            self._check_decoders(task, prompts)
        beams = writes and any(request.options.num_beams > 1 for request in asked)
        if beams or not self.batches or (self.core.deterministic and not writes):
            work.alone = lambda: _answer(self.core, asked) if task is None else task.run(self.core, self.core.prepare)
            return work
        work.task = task
        work.rows = [Row(prompt=prompt, config=self.core.model.config, ends=self.ends) for prompt in prompts]
        if writes:
            live = not self.core.deterministic
            work.answerings = [Answering(self.core, r, ticket, live=live, tells=task is None) for r in work.rows]
        return work

    def _task(self, job: Perception | Creation) -> Task[Any]:
        core, options = self.core, job.options
        if isinstance(job, Creation):
            if job.image is None:
                return draw_task(core, job.words, options)
            return edit_task(core, job.image, job.words, job.regions, options)
        image, names = job.image, job.names
        if job.task in ("detect", "segment"):
            return detect_task(core, image, names, options=replace(options, masks=job.task == "segment"))
        if job.task == "refer":
            return refer_task(core, image, names[0], options=options)
        if job.task == "pose":
            return pose_task(core, image, names, job.keypoints, options)
        if job.task == "regions":
            return regions_task(core, image, job.regions, options)
        return like_task(core, job.examples, image, options)

    def _prompt(self, request: Request, answer: Sequence[Part] | None, tenant: str) -> Prompt:
        core = self.core
        for name in core.model.decoders:
            core.model.decoder(name).check(request.options)
        inputs = core.processor([request], answers=None if answer is None else [answer])
        context = int(core.model.config.text_config.max_position_embeddings)
        length = inputs.input_ids.shape[1] + (request.options.max_new_tokens if answer is None else 0)
        if length > context:
            raise ContextLengthExceeded(length, context)
        pictures = tuple(self.keys.picture(tenant, image) for image in request.pictures)
        shared = inputs.input_ids[0, inputs.turn_ids[0] == 0].tolist()
        return Prompt(
            request=request,
            inputs=inputs,
            writes=answer is None,
            pictures=pictures,
            images=_names(inputs.images, self.keys, tenant),
            prefix=self.keys.name(tenant, repr(shared), *self._leading(shared, pictures, inputs.splits)),
            notices=self._noticed(pictures[-1], request.pictures[-1]) if pictures else (),
        )

    def _noticed(self, name: bytes, image: Image.Image) -> tuple[str, ...]:
        """Return what the user should know about a picture; it is looked at once."""
        found = self._notices.get(name)
        if found is None:
            found = self._notices[name] = self.core.notices_about([image])
            if len(self._notices) > REMEMBERED:
                with suppress(KeyError):  # another thread may have been faster
                    self._notices.popitem(last=False)
        return found

    def _leading(self, shared: Sequence[int], pictures: Sequence[bytes], splits: Tensor | None) -> list[bytes]:
        """Return the names of the pictures whose tokens the shared ids hold."""
        if splits is None:
            return []
        each = self.core.processor.config.tokens_per_split
        tokens = shared.count(self.core.model.config.image_token_id)
        begins = (splits.cumsum(0) - splits) * each
        return [name for name, begin in zip(pictures, begins.tolist(), strict=True) if begin < tokens]

    def _check_decoders(self, task: Task[Any], prompts: Sequence[Prompt]) -> None:
        """Refuse a task whose decoder the model lacks."""
        for kind, prompt in zip(task.kinds, prompts, strict=True):
            if not find_units(prompt.inputs, self.core.model.config):
                kind.known(prompt.request, (), ())


def _answer(core: Core, requests: Sequence[Request]) -> Answer:
    return core.answer(core.prepare(requests))[0]


def _names(images: ImageBatch | None, keys: PictureKeys, tenant: str) -> tuple[bytes, ...]:
    """Return the name of each decoder image."""
    if images is None:
        return ()
    sizes = zip(images.pixel_values, images.sizes_hw.tolist(), images.resized_hw.tolist(), strict=True)
    return tuple(keys.name(tenant, _content(pixels), f"{size} {resized}") for pixels, size, resized in sizes)


def _content(pixels: Tensor) -> bytes:
    return blake2b(pixels.contiguous().numpy().data).digest()
