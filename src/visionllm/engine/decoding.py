"""The work of decoders, batched over all jobs: units that are read in one pass, and pictures that take many steps."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visionllm.decoders.base.diffusing import DiffusionDecoder, Painting
from visionllm.decoders.base.sampling import look
from visionllm.engine.answering import UnitWork
from visionllm.engine.config import EngineConfig
from visionllm.engine.events import Progress
from visionllm.engine.outcome import Attempt, Outcome, each
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.super_link import join_states
from visionllm.types import Result
from visionllm.types.tensors import ImageBatch, Queries

Done = list[tuple[UnitWork, Outcome[Result]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Easel:
    """A unit whose pictures are being made, and by which decoder."""

    work: UnitWork
    decoder: DiffusionDecoder
    painting: Painting

    @property
    def kind(self) -> tuple[str, tuple[int, ...]]:
        """What can be looked at together: pictures of one decoder and one size."""
        return self.work.span.decoder, tuple(self.painting.sampling.latents.shape[1:])


class Decoding:
    """The decoders' work; whoever calls `read` and `paint` in turn with other work keeps that going.

    Args:
        model: Has the decoders.
        config: Limits.
    """

    def __init__(self, model: VisionLLMForConditionalGeneration, config: EngineConfig) -> None:
        self.model, self.config = model, config
        self._waiting: deque[UnitWork] = deque()
        self._blank: deque[UnitWork] = deque()
        self._easels: deque[_Easel] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._blank) + len(self._easels)

    def add(self, works: Sequence[UnitWork]) -> None:
        """Take units on."""
        for work in works:
            paints = isinstance(self.model.decoder(work.span.decoder), DiffusionDecoder)
            (self._blank if paints else self._waiting).append(work)

    def drop(self, gone: Callable[[UnitWork], bool]) -> None:
        """Forget units."""
        self._waiting = deque(work for work in self._waiting if not gone(work))
        self._blank = deque(work for work in self._blank if not gone(work))
        self._easels = deque(easel for easel in self._easels if not gone(easel.work))

    def read(self) -> Done:
        """Let one decoder read the units that waited longest for it, so many as may be read at once."""
        if not self._waiting:
            return []
        name = self._waiting[0].span.decoder
        chosen = [work for work in self._waiting if work.span.decoder == name][: self.config.units_at_once]
        self.drop(lambda work: work in chosen)
        return list(zip(chosen, each(chosen, self._read), strict=True))

    def paint(self) -> Done:
        """Begin pictures where there is room, and bring those of one decoder and one size one step nearer."""
        done = self._begin()
        if not self._easels:
            return done
        kind = self._easels[0].kind
        chosen = [easel for easel in self._easels if easel.kind == kind]
        for easel, outcome in zip(chosen, each(chosen, _look), strict=True):
            self._easels.remove(easel)
            with Attempt() as attempt:
                easel.painting.sampling.step(outcome.value)
                sampling = easel.painting.sampling
                easel.work.ticket.push(Progress(sampling.taken, sampling.steps))
                if sampling.taken < sampling.steps:
                    self._easels.append(easel)
                else:
                    (made,) = easel.decoder.finish(easel.painting).values()
                    done.append((easel.work, Outcome[Result](made)))
            if attempt.error is not None:
                done.append((easel.work, Outcome[Result](error=attempt.error)))
        return done

    def _begin(self) -> Done:
        """Begin the pictures of one unit."""
        if not self._blank or len(self._easels) >= self.config.paintings_at_once:
            return []
        work = self._blank.popleft()
        with Attempt() as attempt:
            decoder = self.model.decoder(work.span.decoder)
            if not isinstance(decoder, DiffusionDecoder):
                raise ValueError(f"expected a decoder that makes pictures step by step, got {type(decoder).__name__}")
            queries, images = self._joined([work])
            (painting,) = decoder.begin(queries, images.seen_by(work.span.decoder), work.options)
            self._easels.append(_Easel(work=work, decoder=decoder, painting=painting))
        return [] if attempt.error is None else [(work, Outcome(error=attempt.error))]

    def _read(self, works: Sequence[UnitWork]) -> list[Result]:
        queries, images = self._joined(works)
        name = works[0].span.decoder
        return self.model.decode({name: queries}, images, [work.options for work in works])[name]

    def _joined(self, works: Sequence[UnitWork]) -> tuple[Queries, ImageBatch]:
        """Return the queries of units of one decoder and their pictures, each picture once."""
        names: dict[bytes, int] = {}
        pictures: list[ImageBatch] = []
        spans = []
        for number, work in enumerate(works):
            prompt, image = work.row.prompt, work.span.image
            if image >= 0 and prompt.inputs.images is not None:
                place = names.setdefault(prompt.images[image], len(pictures))
                if place == len(pictures):
                    pictures.append(prompt.inputs.images.select(torch.tensor([image])))
                image = place
            spans.append(replace(work.span, row=number, image=image))
        images = ImageBatch.join(pictures) if pictures else ImageBatch.empty()
        return join_states(spans, [work.states for work in works]), images.to(self.model.device)


def _look(easels: Sequence[_Easel]) -> list[Tensor]:
    return look(easels[0].decoder.unet, [easel.painting.sampling for easel in easels])
