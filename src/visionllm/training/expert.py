"""The detector as an expert: it learns classes, attributes and places of drawn objects from `AimEncoder`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator, default_rng
from PIL import Image
from torch import Tensor, nn

from visionllm.data.world.families.base import truth_of
from visionllm.data.world.figures import FIGURES
from visionllm.data.world.phrases import ATTRIBUTES, Phrase, speakable
from visionllm.data.world.scene import KINDS, Scene, WorldPicture, WorldThing
from visionllm.data.world.staging.stamps import DOMAINS
from visionllm.decoders.detection import DetectionDecoder
from visionllm.processing.decoder_images import DecoderImageConfig, decoder_batch
from visionllm.processing.targets import detection_targets
from visionllm.training.aims import Aim, AimEncoder, AskedBatch, Place, aim_codes
from visionllm.training.augment import varied
from visionllm.training.pictures import FIRST, Pictures
from visionllm.types import Detections, DetectionTruth, Options
from visionllm.types.tensors import DetectionTargets

Judge = Callable[[Sequence[DetectionTruth], Sequence[Detections]], Mapping[str, float]]


class ExpertDetector(nn.Module):
    """A detector that is asked through an aim encoder."""

    def __init__(self, detector: DetectionDecoder, width: int, slots: int) -> None:
        super().__init__()
        self.detector = detector
        self.aims = AimEncoder(width, slots)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpertBatch(AskedBatch):
    """What is asked, and the truth."""

    targets: list[DetectionTargets]


Hits = list[tuple[WorldThing, int]]


def kinds_of(scene: Scene) -> tuple[str, ...]:
    """Return the kinds that may be in a picture: those of its version, or of its domain."""
    if scene.version == 1:
        return KINDS
    return DOMAINS.get(scene.theme, (*KINDS, *FIGURES, "sign"))


def _hits(picture: WorldPicture, aims: Sequence[Aim]) -> Hits:
    return [(thing, k) for k, aim in enumerate(aims) for thing in picture.scene.things if aim.phrase.fits(thing)]


def class_aims(picture: WorldPicture, rng: Generator) -> tuple[list[Aim], Hits]:
    """Draw a list of kinds: half of the time all of them, else most of those present and some that are absent."""
    every = kinds_of(picture.scene)
    if rng.random() < 0.5:
        kinds = list(every)
    else:
        kinds = sorted({o.kind for o in picture.scene.things if rng.random() < 0.9})
        absent = [k for k in every if k not in kinds] or list(every)
        kinds += rng.choice(absent, size=min(int(rng.integers(1, 8)), len(absent)), replace=False).tolist()
        kinds = list(dict.fromkeys(kinds))
    aims = [Aim(Phrase(kind=str(kind))) for kind in rng.permutation(kinds)]
    return aims, _hits(picture, aims)


def attribute_aims(picture: WorldPicture, rng: Generator) -> tuple[list[Aim], Hits]:
    """Draw one to six phrases of one to three attributes of things; two in five are spoilt in one word."""
    objects = [thing for thing in picture.scene.things if thing.colour]
    phrases = [Phrase()] if rng.random() < 0.1 else []
    for _ in range(int(rng.integers(1, 7))):
        count = int(rng.choice([1, 2, 2, 2, 3]))
        names = rng.choice(
            ["kind", "colour", "fill", "size"], size=count, replace=False, p=[0.4, 0.3, 0.15, 0.15]
        ).tolist()
        thing = objects[int(rng.integers(len(objects)))] if objects else None
        words = {n: str(rng.choice(ATTRIBUTES[n])) if thing is None else str(getattr(thing, n, "")) for n in names}
        if rng.random() < 0.4:
            spoilt = str(rng.choice(names))
            words[spoilt] = str(rng.choice(ATTRIBUTES[spoilt]))
        words = {name: word for name, word in words.items() if word}
        phrase = Phrase(**words)
        if words and speakable(phrase.kind, phrase.colour, "train") and phrase not in phrases:
            phrases.append(phrase)
    aims = [Aim(phrase) for phrase in phrases or [Phrase(kind=str(rng.choice(kinds_of(picture.scene))))]]
    return aims, _hits(picture, aims)


def place_aims(picture: WorldPicture, rng: Generator) -> tuple[list[Aim], Hits]:
    """Draw one to four things, each asked for by its place (a little off) and sometimes by kind and colour too."""
    objects = picture.scene.things
    aims, chosen = [], rng.permutation(len(objects))[: int(rng.integers(1, 5))].tolist()
    for index in chosen:
        thing = objects[index]
        cx, cy, w, h = place_of(thing, picture.scene.size_hw)
        shift, stretch = rng.normal(0, 0.06, 2), np.exp(rng.normal(0, 0.12, 2))
        place = (cx + shift[0] * w, cy + shift[1] * h, w * stretch[0], h * stretch[1])
        named = rng.random(2) < 0.5
        aims.append(
            Aim(
                Phrase(kind=thing.kind if named[0] else None, colour=(thing.colour or None) if named[1] else None),
                place,
            )
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
        drawn: The pictures.
        judge: Scores what was found beside the truth.
    """

    def __init__(
        self, *, images: DecoderImageConfig, pictures: int, drawn: Pictures, judge: Judge | None = None
    ) -> None:
        self.images, self.pictures, self.drawn, self.judge = images, pictures, drawn, judge

    def batch(self, index: int) -> ExpertBatch:
        """Make the batch of step `index`."""
        first = self.drawn.first(index, self.pictures)
        rng = default_rng([self.drawn.seed, index])
        drawn = [varied(self.drawn.draw(first + i), rng) for i in range(self.pictures)]
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
            routes=tuple(("[DET]",) * mask.shape[1] for _ in units),
            targets=targets,
        )

    def losses(self, module: nn.Module, batch: ExpertBatch) -> dict[str, Tensor]:
        """Return the detector's losses."""
        if not isinstance(module, ExpertDetector):
            raise TypeError(f"expected an ExpertDetector, got {type(module).__name__}")
        return module.detector.loss(module.aims.queries(batch), batch.images, batch.targets)

    @torch.no_grad()
    def scores(self, module: nn.Module, pictures: int = 200) -> Mapping[str, float]:
        """Return what the judge says of the validation split, theme by theme, with all kinds listed.

        Without a judge there is nothing to return. Scores of version 1 have no theme before their names.
        """
        if not isinstance(module, ExpertDetector):
            raise TypeError(f"expected an ExpertDetector, got {type(module).__name__}")
        scores: dict[str, float] = {}
        for theme in self.drawn.themes or (FIRST,):
            share = pictures if theme == FIRST else pictures // 4
            for name, value in self._judged(module, replace(self.drawn, themes={theme: 1.0}), share).items():
                scores[name if theme == FIRST else f"{theme} {name}"] = value
        return scores

    def _judged(self, module: ExpertDetector, source: Pictures, pictures: int) -> Mapping[str, float]:
        if self.judge is None:
            return {}
        truths: list[DetectionTruth] = []
        results: list[Detections] = []
        for first in range(0, pictures, self.pictures):
            drawn = [source.draw(first + i, "validation") for i in range(self.pictures)]
            aims = [[Aim(Phrase(kind=kind)) for kind in kinds_of(picture.scene)] for picture in drawn]
            found = [(n, _hits(picture, aims[n])) for n, picture in enumerate(drawn)]
            batch = self._tensors(drawn, aims, found)
            results += module.detector.decode(module.aims.queries(batch), batch.images, Options(threshold=0.0))
            truths += [truth_of(_by_aim(hits, len(aims[n])), drawn[n].scene.size_hw) for n, hits in found]
        return self.judge(truths, results)


def _by_aim(hits: Hits, count: int) -> list[list[WorldThing]]:
    """Return the things of each aim."""
    return [[thing for thing, aim in hits if aim == k] for k in range(count)]
