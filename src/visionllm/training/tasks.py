"""Questions about drawn pictures: the objective of every stage that the language model takes part in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from visionllm.data.world import draw_picture
from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.tasks import FAMILIES, make_sample
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import VisionLLMProcessor
from visionllm.processing.targets import TrainBatch
from visionllm.training.aims import Aim, aim_codes
from visionllm.training.expert import place_of
from visionllm.types import Routed, Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskBatch:
    """Questions and truth, with what each query group aims at.

    Attributes:
        batch: For the model.
        codes: int[U, K, 4], places: float[U, K, 4], aimed: bool[U, K]. The aims of the groups of each unit; see `aim_codes`.
    """

    batch: TrainBatch
    codes: Tensor
    places: Tensor
    aimed: Tensor


def aims_of(sample: Sample, picture: WorldPicture) -> list[Aim]:
    """Return what each routed span of an answer aims at: the attributes in its words, or the place of the one thing it means."""
    words = {adjective_of(word): (name, word) for name, values in ATTRIBUTES.items() for word in values}
    spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
    truth = sample.truth.get("detection")
    boxes = {} if truth is None else {int(k): tuple(b) for k, b in zip(truth.class_ids, truth.boxes.tolist(), strict=True)}
    things = {tuple(float(v) for v in thing.box): thing for thing in picture.scene.objects}
    aims = []
    for index, span in enumerate(spans):
        said = dict(words[word] for word in span.text.split() if word in words)
        single = not span.text or span.text.startswith("region")
        thing = things.get(boxes.get(index, ())) if single else None
        aims.append(Aim(Phrase(**said), None if thing is None else place_of(thing, picture.scene.size_hw)))
    return aims


def adjective_of(word: str) -> str:
    """Return the form in which an attribute stands before a noun."""
    return "outlined" if word == "outline" else word


class TaskObjective:
    """Answer questions about drawn pictures; several questions are packed with each picture.

    Args:
        processor: Makes tensors of samples.
        mixture: Relative weight of each task family.
        pictures: Pictures a batch.
        questions: Questions packed with each picture.
        link_weight: Weight of the loss that draws slot states towards the aims an expert detector learned; needs `module.aims`.
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
        link_weight: float = 0.0,
        seed: int = 2,
        photos: bool = True,
    ) -> None:
        unknown = sorted(set(mixture) - set(FAMILIES))
        if unknown:
            raise ValueError(f"expected task families among {', '.join(FAMILIES)}, got {', '.join(unknown)}")
        self.processor, self.pictures, self.questions = processor, pictures, questions
        self.link_weight, self.seed, self.photos = link_weight, seed, photos
        self.names = list(mixture)
        weights = np.array(list(mixture.values()), np.float64)
        self.weights = weights / weights.sum()

    def samples(self, index: int, *, split: str = "train") -> list[tuple[WorldPicture, list[Sample]]]:
        """Return the pictures of a step, each with its questions."""
        first = self.seed * 10**8 + index * self.pictures
        rng = np.random.default_rng([self.seed, index])
        rows = []
        for number in range(first, first + self.pictures):
            picture = draw_picture(number, split=split, photos=self.photos)
            samples: list[Sample] = []
            while len(samples) < self.questions:
                family = str(rng.choice(self.names, p=self.weights))
                sample = make_sample(picture, family, int(rng.integers(2**31)))
                if sample is not None:
                    samples.append(sample)
            with_picture = [s for s in samples if s.request.pictures]
            rows += [(picture, group) for group in (with_picture, [s for s in samples if not s.request.pictures]) if group]
        return rows

    def batch(self, index: int) -> TaskBatch:
        """Make the batch of step `index`."""
        rows = self.samples(index)
        batch = self.processor.train_batch([samples for _, samples in rows])
        aims = self._unit_aims(rows, batch)
        codes, places, aimed = (torch.from_numpy(a) for a in aim_codes(aims))
        return TaskBatch(batch=batch, codes=codes, places=places, aimed=aimed)

    def _unit_aims(self, rows: Sequence[tuple[WorldPicture, Sequence[Sample]]], batch: TrainBatch) -> list[list[Aim]]:
        """Return the aims of each unit; none for an answer whose spans fall into several units."""
        aims = []
        for (row, turn), same in groupby(batch.units, key=lambda unit: (unit.row, unit.turn)):
            count = len(list(same))
            picture, samples = rows[row]
            aims += [aims_of(samples[turn - 1], picture)] if count == 1 else [[]] * count
        return aims

    def losses(self, module: nn.Module, batch: TaskBatch) -> dict[str, Tensor]:
        """Return the text loss, the decoders' losses, and the link loss if it is wanted."""
        raise_unless_model(module)
        losses = module.compute_losses(batch.batch)
        return losses

    def scores(self, module: nn.Module) -> Mapping[str, float]:
        """Return the text loss on the validation split."""
        raise_unless_model(module)
        return {}


def raise_unless_model(module: nn.Module) -> None:
    """Check that a module is the whole model.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(module, VisionLLMForConditionalGeneration):
        raise TypeError(f"expected a VisionLLMForConditionalGeneration, got {type(module).__name__}")
