"""Questions about drawn pictures: the objective of every stage that the language model takes part in."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visionllm.config import IMAGE_TOKEN
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import VisionLLMProcessor
from visionllm.processing.targets import TrainBatch
from visionllm.training.guided_answers import LAYER as ANSWER_LAYER
from visionllm.training.guided_answers import GuidedAnswers
from visionllm.training.guided_attention import LAYER, GuidedAttention, LookTargets, watched
from visionllm.training.link import LINKS, Link, LinkedModel
from visionllm.training.picture_words import PictureWords
from visionllm.training.questions import Questions, Row
from visionllm.training.readings import IGNORED, READINGS
from visionllm.training.routed import routed_losses
from visionllm.types import Routed, Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskBatch:
    """Questions and truth, with what each query group aims at.

    Attributes:
        batch: For the model.
        share: Of the rows of the step, which its losses weigh.
        links: What each link should draw slot states towards, in the order of the objective's links; see `Link`.
        shown: int[P, n] for each reading of picture tokens; see `PictureWords`.
        phrases: Where phrases should look; see `GuidedAttention`.
        answers: Where answers should look; see `GuidedAnswers`.
    """

    batch: TrainBatch
    share: float
    links: tuple[Mapping[str, Tensor], ...]
    shown: Mapping[str, Tensor]
    phrases: LookTargets
    answers: LookTargets


_FAR = 10**6
_LENGTHS = 32
_LETTERS = 4  # of a token, about
_GUIDED = (("looks", "meant"), ("answer_looks", "answer_meant"))


class TaskObjective:
    """Answer questions about drawn pictures; several questions are packed with each picture.

    Args:
        processor: Makes tensors of samples.
        mixture: Relative weight of each task family, of either version of the world; see `Questions`.
        pictures: Pictures a batch.
        questions: Questions packed with each picture.
        units: At most about so many units of each decoder are decoded and teach it; 0 trains no decoder.
        link_weight: Weight of the losses that draw slot states towards what experts learned; see `Link`.
        words_weight: Weight of the losses that tell picture tokens what they show (`PictureWords`) and phrases where to
            look (`GuidedAttention`); 0 leaves them out.
        seed: Index of the first picture in the training split, in units of 10⁸.
        photos: Draw on photo backgrounds too.
        links: One a decoder that has an expert to follow.

    Raises:
        ValueError: If the mixture names an unknown family, or no family has a weight.
    """

    def __init__(
        self,
        processor: VisionLLMProcessor,
        mixture: Mapping[str, float],
        *,
        pictures: int,
        questions: int,
        units: int = 0,
        link_weight: float = 0.0,
        words_weight: float = 0.0,
        seed: int = 2,
        photos: bool = True,
        links: Sequence[Link] = LINKS,
    ) -> None:
        self.questions = Questions(mixture, pictures=pictures, questions=questions, seed=seed, photos=photos)
        self.processor, self.units, self.link_weight, self.links = processor, units, link_weight, tuple(links)
        self.words_weight, vision = words_weight, processor.config.vision
        stride = round(vision.image_size / processor.config.tokens_per_split**0.5)
        readings = READINGS[max(self.questions.versions)]
        self.words = PictureWords(processor.vocabulary, vision.image_size, stride, readings)
        self.guide = GuidedAttention(processor.vocabulary, vision.image_size, stride, readings)
        self.answers = GuidedAnswers(self.guide, processor.vocabulary)
        self.picture_id = processor.vocabulary.token_id(IMAGE_TOKEN)

    def batch(self, index: int) -> list[TaskBatch]:
        """Make the batch of step `index`: rows of about one length together, which saves padding."""
        rows = self.questions.rows(index)
        return [self._tensors(part, len(part) / len(rows)) for part in of_one_length(rows, self._length)]

    def _tensors(self, rows: Sequence[Row], share: float) -> TaskBatch:
        batch = self.processor.train_batch([samples for _, samples in rows], multiple=_LENGTHS)
        guided = [picture if self.words_weight and _shows_alone(samples) else None for picture, samples in rows]
        asked = [samples for _, samples in rows]
        return TaskBatch(
            batch=batch,
            share=share,
            links=tuple(link.targets(rows, batch) for link in self.links),
            shown=self._shown(rows) if self.words_weight else {},
            phrases=self.guide.targets(batch.inputs.input_ids, self.picture_id, guided).tensors(),
            answers=self.answers.targets(batch, self.picture_id, list(zip(guided, asked, strict=True))).tensors(),
        )

    def _length(self, row: Row) -> float:
        """Return about how many tokens a row will have."""
        _, samples = row
        messages = [m for s in samples for m in (*s.request.messages, s.answer)]
        routed = [part.token for m in messages for part in m.parts if isinstance(part, Routed)]
        seen = self.processor.config.tokens_per_split * len(samples[0].request.pictures)
        slots = sum(1 + len(self.processor.vocabulary.slot_ids(token)) for token in routed)
        return seen + slots + sum(len(m.text) for m in messages) / _LETTERS

    def _shown(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """Return what the tokens of all pictures of a batch show; of pictures that are examples nothing is known."""
        targets: list[Mapping[str, NDArray[np.int64]]] = []
        for picture, samples in rows:
            count = len(samples[0].request.pictures)
            if count:
                known = self.words.targets(picture)
                targets += [{n: np.full_like(t, IGNORED) for n, t in known.items()}] * (count - 1)
                targets.append(known)
        return {n: torch.from_numpy(np.stack([t[n] for t in targets])) for n in (targets[0] if targets else ())}

    def losses(self, module: nn.Module, batch: Sequence[TaskBatch]) -> dict[str, Tensor]:
        """Return the losses of picture words, text, links and decoders, as far as they are wanted."""
        if not isinstance(module, LinkedModel):
            raise TypeError(f"expected a LinkedModel, got {type(module).__name__}")
        terms = [{n: part.share * v for n, v in self._losses(module, part).items()} for part in batch]
        return {
            name: torch.stack([t[name] for t in terms if name in t]).sum()
            for name in dict.fromkeys(name for t in terms for name in t)
        }

    def _losses(self, module: LinkedModel, batch: TaskBatch) -> dict[str, Tensor]:
        model, inputs = module.model, batch.batch.inputs
        encoded = None
        if inputs.pixel_values is not None and inputs.splits is not None:
            encoded = model.encode_pictures(inputs.pixel_values, inputs.splits)
        with ExitStack() as stack:
            layers = (LAYER, ANSWER_LAYER) if self.words_weight else ()
            seen = [stack.enter_context(watched(model.language_model, number)) for number in layers]
            read = model.read(inputs, labels=inputs.labels, encoded=encoded)
        losses = {} if read.loss is None else {"text": read.loss}
        if batch.shown and encoded is not None:
            losses["words"] = self.words_weight * self.words.loss(model, encoded.tokens, batch.shown)
        for names, wanted, ((weights, states),) in zip(_GUIDED, (batch.phrases, batch.answers), seen, strict=False):
            if len(wanted.places):
                losses[names[0]] = self.words_weight * wanted.loss(weights)
                losses[names[1]] = self.words_weight * self.words.loss(model, wanted.read(states), wanted.meant)
        if not self.link_weight and not self.units:
            return losses
        links = list(zip(self.links, batch.links, strict=True))
        units = math.ceil(self.units * batch.share)
        return losses | routed_losses(
            module, read.last_hidden_state, batch.batch, links=links, link_weight=self.link_weight, units=units
        )

    @torch.no_grad()
    def scores(self, module: nn.Module, steps: int = 4) -> dict[str, float]:
        """Return the share of answers whose every token is foreseen, by family, on the validation split."""
        if not isinstance(module, LinkedModel):
            raise TypeError(f"expected a LinkedModel, got {type(module).__name__}")
        right: dict[str, list[int]] = {}
        for index in range(steps):
            rows = self.questions.rows(_FAR + index, split="validation")
            for _, samples in rows:
                for sample in filter(_has_words, samples):
                    tally = right.setdefault(sample.family, [0, 0])
                    tally[0] += foreseen(module.model, self.processor, sample)
                    tally[1] += 1
        return {family: hits / total for family, (hits, total) in sorted(right.items())}


def of_one_length(rows: Sequence[Row], length: Callable[[Row], float]) -> list[list[Row]]:
    """Return all rows in parts, shorter ones first; in a part none is much more than half as long again as another."""
    parts: list[list[Row]] = []
    shortest = 0.0
    for tokens, row in sorted(((length(row), row) for row in rows), key=lambda pair: pair[0]):
        if not parts or tokens > 1.5 * shortest + 2 * _LENGTHS:
            parts.append([])
            shortest = tokens
        parts[-1].append(row)
    return parts


def _shows_alone(samples: Sequence[Sample]) -> bool:
    """Tell whether a row has one picture, so that it is known where its tokens begin."""
    return len(samples[0].request.pictures) == 1


def _has_words(sample: Sample) -> bool:
    return sample.learn_text


def foreseen(model: VisionLLMForConditionalGeneration, processor: VisionLLMProcessor, sample: Sample) -> bool:
    """Tell whether the model, reading the right answer, foresees each of its tokens: greedy decoding would write it."""
    inputs = processor.train_batch([[sample]]).inputs
    if inputs.labels is None:
        return False
    labels = inputs.labels[:, 1:]
    states = model.states(inputs)
    return bool((model.logits(states)[:, :-1].argmax(-1) == labels)[labels >= 0].all())
