"""Questions about drawn pictures: the objective of every stage that the language model takes part in."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from visionllm.config import IMAGE_TOKEN
from visionllm.data.world import draw_picture
from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.tasks import FAMILIES, make_sample
from visionllm.decoders.detection import DetectionDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import VisionLLMProcessor
from visionllm.processing.targets import TrainBatch
from visionllm.super_link import select_units
from visionllm.training.aims import Aim, AimEncoder, aim_codes
from visionllm.training.augment import varied
from visionllm.training.expert import place_of
from visionllm.training.guided_answers import LAYER as ANSWER_LAYER
from visionllm.training.guided_answers import GuidedAnswers, spans_of
from visionllm.training.guided_attention import LAYER, GuidedAttention, LookTargets, watched
from visionllm.training.picture_words import PictureWords
from visionllm.types import Routed, Sample
from visionllm.types.tensors import DetectionTargets, Queries


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskBatch:
    """Questions and truth, with what each query group aims at.

    Attributes:
        batch: For the model.
        codes: int[U, K, 4], places: float[U, K, 4], aimed: bool[U, K]. Aims of each unit's groups; see `aim_codes`.
        shown: int[P, n] for each reading of picture tokens; see `PictureWords`.
        phrases: Where phrases should look; see `GuidedAttention`.
        answers: Where answers should look; see `GuidedAnswers`.
    """

    batch: TrainBatch
    codes: Tensor
    places: Tensor
    aimed: Tensor
    shown: Mapping[str, Tensor]
    phrases: LookTargets
    answers: LookTargets


def aims_of(sample: Sample, picture: WorldPicture) -> list[Aim]:
    """Return what each routed span of an answer aims at: attributes in its words, or the place of one thing."""
    words = {adjective_of(word): (name, word) for name, values in ATTRIBUTES.items() for word in values}
    spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
    found = spans_of(sample, picture) or [[] for _ in spans]
    aims = []
    for span, things in zip(spans, found, strict=True):
        said = dict(words[word] for word in span.text.split() if word in words)
        single = things and (not span.text or span.text.startswith("region"))
        aims.append(Aim(Phrase(**said), place_of(things[-1], picture.scene.size_hw) if single else None))
    return aims


def adjective_of(word: str) -> str:
    """Return the form in which an attribute stands before a noun."""
    return "outlined" if word == "outline" else word


_FAR = 10**6
_LENGTHS = 32
_GUIDED = (("looks", "meant"), ("answer_looks", "answer_meant"))


class LinkedModel(nn.Module):
    """The whole model beside the aims its detector learned as an expert.

    Args:
        model: What is trained.
        aims: What slot states should say; frozen. None where no detector takes part yet.
    """

    def __init__(self, model: VisionLLMForConditionalGeneration, aims: AimEncoder | None = None) -> None:
        super().__init__()
        self.model, self.aims = model, aims


class TaskObjective:
    """Answer questions about drawn pictures; several questions are packed with each picture.

    Args:
        processor: Makes tensors of samples.
        mixture: Relative weight of each task family.
        pictures: Pictures a batch.
        questions: Questions packed with each picture.
        units: At most so many units of each half of a batch are decoded and teach the detector; 0 trains no decoder.
        link_weight: Weight of the loss that draws slot states towards the aims an expert detector learned.
        words_weight: Weight of the losses that tell picture tokens what they show (`PictureWords`) and phrases where to
            look (`GuidedAttention`); 0 leaves them out.
        seed: Index of the first picture in the training split, in units of 10⁸.
        photos: Draw on photo backgrounds too.

    Raises:
        ValueError: If the mixture names an unknown family.
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
    ) -> None:
        unknown = sorted(set(mixture) - set(FAMILIES))
        if unknown:
            raise ValueError(f"expected task families among {', '.join(FAMILIES)}, got {', '.join(unknown)}")
        self.processor, self.pictures, self.questions = processor, pictures, questions
        self.units, self.link_weight, self.seed, self.photos = units, link_weight, seed, photos
        self.words_weight, vision = words_weight, processor.config.vision
        stride = round(vision.image_size / processor.config.tokens_per_split**0.5)
        self.words = PictureWords(processor.vocabulary, vision.image_size, stride)
        self.guide = GuidedAttention(processor.vocabulary, vision.image_size, stride)
        self.answers = GuidedAnswers(self.guide, processor.vocabulary)
        self.picture_id = processor.vocabulary.token_id(IMAGE_TOKEN)
        self.names = list(mixture)
        weights = np.array(list(mixture.values()), np.float64)
        self.weights = weights / weights.sum()

    def samples(self, index: int, *, split: str = "train") -> list[tuple[WorldPicture, list[Sample]]]:
        """Return the rows of a step: a picture and its questions; questions without a picture stand apart."""
        first = self.seed * 10**8 + index * self.pictures
        rng = np.random.default_rng([self.seed, index])
        rows = []
        for number in range(first, first + self.pictures):
            picture = draw_picture(number, split=split, photos=self.photos)
            if split == "train":
                picture = varied(picture, rng)
            families = rng.choice(self.names, size=self.questions, p=self.weights).tolist()
            drawn = [make_sample(picture, family, int(rng.integers(2**31))) for family in families]
            seen = [s for s in drawn if s is not None and s.request.pictures]
            unseen = [s for s in drawn if s is not None and not s.request.pictures]
            rows += [(picture, group) for group in (seen, unseen) if group]
        return rows

    def batch(self, index: int) -> list[TaskBatch]:
        """Make the batch of step `index`: its shorter and its longer rows apart, which saves padding."""
        rows = sorted(self.samples(index), key=_length)
        middle = len(rows) // 2
        return [self._tensors(part) for part in (rows[:middle], rows[middle:]) if part]

    def _tensors(self, rows: Sequence[tuple[WorldPicture, list[Sample]]]) -> TaskBatch:
        batch = self.processor.train_batch([samples for _, samples in rows], multiple=_LENGTHS)
        codes, places, aimed = (torch.from_numpy(a) for a in aim_codes(_unit_aims(rows, batch)))
        pictures = [picture if samples[0].request.pictures else None for picture, samples in rows]
        targets = [self.words.targets(picture) for picture in pictures if picture is not None and self.words_weight]
        guided = [picture if self.words_weight else None for picture in pictures]
        asked = [samples for _, samples in rows]
        return TaskBatch(
            batch=batch,
            codes=codes,
            places=places,
            aimed=aimed,
            shown={n: torch.from_numpy(np.stack([t[n] for t in targets])) for n in (targets[0] if targets else ())},
            phrases=self.guide.targets(batch.inputs.input_ids, self.picture_id, guided).tensors(),
            answers=self.answers.targets(batch, self.picture_id, list(zip(guided, asked, strict=True))).tensors(),
        )

    def losses(self, module: nn.Module, batch: Sequence[TaskBatch]) -> dict[str, Tensor]:
        """Return the losses of picture words, text, link and detector, as far as they are wanted."""
        if not isinstance(module, LinkedModel):
            raise TypeError(f"expected a LinkedModel, got {type(module).__name__}")
        terms = [self._losses(module, part) for part in batch]
        return {
            name: torch.stack([t[name] for t in terms if name in t]).sum() / len(terms)
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
        gathered = model.super_link.gather(read.last_hidden_state, inputs).get("detection")
        if gathered is None or inputs.images is None:
            return losses
        own = [(i, unit) for i, unit in enumerate(batch.batch.units) if unit.decoder == "detection"]
        place = {(unit.row, unit.position): i for i, unit in own}
        keys = zip(gathered.rows.tolist(), gathered.positions[:, 0].tolist(), strict=True)
        chosen = {u: place[key] for u, key in enumerate(keys) if key in place}
        queries = select_units(gathered, list(chosen))
        truth = list(chosen.values())
        detector = model.decoder("detection")
        if not isinstance(detector, DetectionDecoder):
            raise TypeError(f"expected a DetectionDecoder, got {type(detector).__name__}")
        if self.link_weight and module.aims is not None:
            losses["link"] = self.link_weight * link_loss(module.aims, detector, queries, batch, truth)
        if self.units:
            taken = torch.randperm(len(truth))[: self.units].tolist()
            wanted = [batch.batch.targets[truth[i]] for i in taken]
            targets = [target for target in wanted if isinstance(target, DetectionTargets)]
            with torch.autocast(inputs.images.pixel_values.device.type, enabled=False):  # boxes want full precision
                losses |= detector.loss(select_units(queries, taken), inputs.images, targets)
        return losses

    @torch.no_grad()
    def scores(self, module: nn.Module, steps: int = 4) -> dict[str, float]:
        """Return the share of answers whose every token is foreseen, by family, on the validation split."""
        if not isinstance(module, LinkedModel):
            raise TypeError(f"expected a LinkedModel, got {type(module).__name__}")
        right: dict[str, list[int]] = {}
        for index in range(steps):
            rows = self.samples(_FAR + index, split="validation")
            for _, samples in rows:
                for sample in filter(_has_words, samples):
                    tally = right.setdefault(sample.family, [0, 0])
                    tally[0] += foreseen(module.model, self.processor, sample)
                    tally[1] += 1
        return {family: hits / total for family, (hits, total) in sorted(right.items())}


def _length(row: tuple[WorldPicture, Sequence[Sample]]) -> int:
    """Return about how long a row will be."""
    _, samples = row
    seen = 300 if samples[0].request.pictures else 0
    return seen + sum(len(m.text) for s in samples for m in (*s.request.messages, s.answer))


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


def _unit_aims(rows: Sequence[tuple[WorldPicture, Sequence[Sample]]], batch: TrainBatch) -> list[list[Aim]]:
    """Return the aims of each unit; none for an answer whose spans fall into several units."""
    aims: list[list[Aim]] = []
    for (row, turn), same in groupby(batch.units, key=lambda unit: (unit.row, unit.turn)):
        count = len(list(same))
        picture, samples = rows[row]
        aims += [aims_of(samples[turn - 1], picture)] if count == 1 else [[]] * count
    return aims


def link_loss(
    aims: AimEncoder, detector: DetectionDecoder, queries: Queries, batch: TaskBatch, truth: Sequence[int]
) -> Tensor:
    """Return the squared distance of projected slot states from projected aims in units of the aims' mean square."""
    index = torch.tensor(truth, dtype=torch.long)
    wanted = aims(batch.codes[index], batch.places[index])
    known = batch.aimed[index]
    groups = min(known.shape[1], queries.mask.shape[1])
    both = known[:, :groups] & queries.mask[:, :groups]
    project = detector.query_projection
    target = project(wanted[:, :groups][both]).mean(1).detach()
    read = project(queries.states[:, :groups][both]).mean(1)
    scale = target.square().mean().clamp_min(1e-6)
    return (read - target).square().mean() / scale
