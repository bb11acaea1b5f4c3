"""The detector as an expert: it learns classes, attributes and places of drawn objects from `AimEncoder`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator, default_rng
from PIL import Image
from torch import Tensor, nn

from visionllm.data.world import draw_picture
from visionllm.data.world.families.base import truth_of
from visionllm.data.world.phrases import ATTRIBUTES, Phrase, speakable
from visionllm.data.world.scene import KINDS, WorldObject, WorldPicture, WorldThing
from visionllm.decoders.detection import DetectionDecoder
from visionllm.processing.decoder_images import DecoderImageConfig, decoder_batch
from visionllm.processing.targets import detection_targets
from visionllm.training.aims import Aim, AimEncoder, Place, aim_codes
from visionllm.training.augment import varied
from visionllm.types import Detections, DetectionTruth, Options
from visionllm.types.tensors import DetectionTargets, ImageBatch, Queries

Judge = Callable[[Sequence[DetectionTruth], Sequence[Detections]], Mapping[str, float]]


class ExpertDetector(nn.Module):
    """A detector that is asked through an aim encoder."""

    def __init__(self, detector: DetectionDecoder, width: int, slots: int) -> None:
        super().__init__()
        self.detector = detector
        self.aims = AimEncoder(width, slots)

    def queries(self, batch: "ExpertBatch") -> Queries:
        """Encode the aims of a batch."""
        units, groups = batch.mask.shape
        states = self.aims(batch.codes, batch.places) * batch.mask[..., None, None]
        return Queries(
            states=states,
            mask=batch.mask,
            images=batch.images_of,
            rows=torch.arange(units),
            turns=torch.ones(units, dtype=torch.int64),
            positions=torch.arange(groups).expand(units, groups),
            routes=tuple(("[DET]",) * groups for _ in range(units)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpertBatch:
    """Pictures, what is asked about them, and the truth."""

    images: ImageBatch
    images_of: Tensor
    codes: Tensor
    places: Tensor
    mask: Tensor
    targets: list[DetectionTargets]


Hits = list[tuple[WorldObject, int]]


def _hits(picture: WorldPicture, aims: Sequence[Aim]) -> Hits:
    return [(thing, k) for k, aim in enumerate(aims) for thing in picture.scene.objects if aim.phrase.fits(thing)]


def class_aims(picture: WorldPicture, rng: Generator) -> tuple[list[Aim], Hits]:
    """Draw a list of kinds: half of the time all of them, else most of those present and some that are absent."""
    if rng.random() < 0.5:
        kinds = list(KINDS)
    else:
        kinds = sorted({o.kind for o in picture.scene.objects if rng.random() < 0.9})
        absent = [k for k in KINDS if k not in kinds]
        kinds += rng.choice(absent, size=int(rng.integers(1, 8)), replace=False).tolist()
    aims = [Aim(Phrase(kind=str(kind))) for kind in rng.permutation(kinds)]
    return aims, _hits(picture, aims)


def attribute_aims(picture: WorldPicture, rng: Generator) -> tuple[list[Aim], Hits]:
    """Draw one to six phrases of one to three attributes of objects; two in five are spoilt in one word."""
    objects = picture.scene.objects
    phrases = [Phrase()] if rng.random() < 0.1 else []
    for _ in range(int(rng.integers(1, 7))):
        count = int(rng.choice([1, 2, 2, 2, 3]))
        names = rng.choice(
            ["kind", "colour", "fill", "size"], size=count, replace=False, p=[0.4, 0.3, 0.15, 0.15]
        ).tolist()
        thing = objects[int(rng.integers(len(objects)))] if objects else None
        words = {n: str(rng.choice(ATTRIBUTES[n])) if thing is None else str(getattr(thing, n)) for n in names}
        if rng.random() < 0.4:
            spoilt = str(rng.choice(names))
            words[spoilt] = str(rng.choice(ATTRIBUTES[spoilt]))
        phrase = Phrase(**words)
        if speakable(phrase.kind, phrase.colour, "train") and phrase not in phrases:
            phrases.append(phrase)
    aims = [Aim(phrase) for phrase in phrases or [Phrase(kind=str(rng.choice(KINDS)))]]
    return aims, _hits(picture, aims)


def place_aims(picture: WorldPicture, rng: Generator) -> tuple[list[Aim], Hits]:
    """Draw one to four objects, each asked for by its place (a little off) and sometimes by kind and colour too."""
    objects = picture.scene.objects
    aims, chosen = [], rng.permutation(len(objects))[: int(rng.integers(1, 5))].tolist()
    for index in chosen:
        thing = objects[index]
        cx, cy, w, h = place_of(thing, picture.scene.size_hw)
        shift, stretch = rng.normal(0, 0.06, 2), np.exp(rng.normal(0, 0.12, 2))
        place = (cx + shift[0] * w, cy + shift[1] * h, w * stretch[0], h * stretch[1])
        named = rng.random(2) < 0.5
        aims.append(
            Aim(Phrase(kind=thing.kind if named[0] else None, colour=thing.colour if named[1] else None), place)
        )
    return aims, [(objects[index], k) for k, index in enumerate(chosen)]


def place_of(thing: WorldThing, size_hw: tuple[int, int]) -> Place:
    """Return the box of a thing as shares of the picture: (cx, cy, w, h)."""
    (height, width), (x0, y0, x1, y1) = size_hw, thing.box
    return ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)


_QUESTIONS = ((class_aims,), (attribute_aims,), (class_aims, attribute_aims), (class_aims, place_aims))
_SHARES = (0.35, 0.15, 0.25, 0.25)


class ExpertObjective:
    """Find what aims ask for in drawn pictures: one or two questions a picture, about classes, attributes or places.

    Args:
        images: How the detector sees a picture.
        pictures: Pictures a batch.
        seed: Index of the first picture in the training split, in units of 10⁸.
        photos: Draw on photo backgrounds too.
        judge: Scores what was found beside the truth.
    """

    def __init__(
        self,
        *,
        images: DecoderImageConfig,
        pictures: int,
        seed: int = 1,
        photos: bool = True,
        judge: Judge | None = None,
    ) -> None:
        self.images, self.pictures, self.seed, self.photos, self.judge = images, pictures, seed, photos, judge

    def batch(self, index: int) -> ExpertBatch:
        """Make the batch of step `index`."""
        first = self.seed * 10**8 + index * self.pictures
        rng = default_rng([self.seed, index])
        drawn = [varied(draw_picture(first + i, split="train", photos=self.photos), rng) for i in range(self.pictures)]
        units: list[list[Aim]] = []
        found: list[tuple[int, Hits]] = []
        for number, picture in enumerate(drawn):
            for draw in _QUESTIONS[int(rng.choice(len(_QUESTIONS), p=_SHARES))]:
                aims, hits = draw(picture, rng)
                if aims:
                    units.append(aims)
                    found.append((number, hits))
        return self._tensors(drawn, units, found)

    def _tensors(
        self,
        drawn: Sequence[WorldPicture],
        units: Sequence[Sequence[Aim]],
        found: Sequence[tuple[int, Hits]],
    ) -> ExpertBatch:
        images = decoder_batch([Image.fromarray(p.pixels) for p in drawn], self.images)
        codes, places, mask = aim_codes(units)
        targets = []
        for (number, hits), aims in zip(found, units, strict=True):
            size_hw = drawn[number].scene.size_hw
            truth = truth_of(_by_aim(hits, len(aims)), size_hw)
            height, width = images.resized_hw[number].tolist()
            targets.append(detection_targets(truth, range(len(aims)), size_hw, (height, width)))
        return ExpertBatch(
            images=images,
            images_of=torch.tensor([number for number, _ in found]),
            codes=torch.from_numpy(codes),
            places=torch.from_numpy(places),
            mask=torch.from_numpy(mask),
            targets=targets,
        )

    def losses(self, module: nn.Module, batch: ExpertBatch) -> dict[str, Tensor]:
        """Return the detector's losses."""
        if not isinstance(module, ExpertDetector):
            raise TypeError(f"expected an ExpertDetector, got {type(module).__name__}")
        return module.detector.loss(module.queries(batch), batch.images, batch.targets)

    @torch.no_grad()
    def scores(self, module: nn.Module, pictures: int = 200) -> Mapping[str, float]:
        """Return what the judge says of the validation split with all kinds listed; nothing without a judge."""
        if not isinstance(module, ExpertDetector):
            raise TypeError(f"expected an ExpertDetector, got {type(module).__name__}")
        if self.judge is None:
            return {}
        aims = [Aim(Phrase(kind=kind)) for kind in KINDS]
        truths: list[DetectionTruth] = []
        results: list[Detections] = []
        for first in range(0, pictures, self.pictures):
            drawn = [draw_picture(first + i, split="validation", photos=self.photos) for i in range(self.pictures)]
            found = [(n, _hits(picture, aims)) for n, picture in enumerate(drawn)]
            batch = self._tensors(drawn, [aims] * len(drawn), found)
            results += module.detector.decode(module.queries(batch), batch.images, Options(threshold=0.0))
            truths += [truth_of(_by_aim(hits, len(aims)), drawn[n].scene.size_hw) for n, hits in found]
        return self.judge(truths, results)


def _by_aim(hits: Hits, count: int) -> list[list[WorldObject]]:
    """Return the objects of each aim."""
    return [[thing for thing, aim in hits if aim == k] for k in range(count)]
