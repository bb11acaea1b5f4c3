"""Predictors that know the picture world: one is always right, one is silent."""

from dataclasses import replace

import numpy as np
import pytest

from visionllm.data.world.scene import WorldObject
from visionllm.data.world.tasks import FAMILIES
from visionllm.data.world.words import fill_adjective, size_predicate
from visionllm.evaluation.world import WorldSetting, families_of
from visionllm.types import Answer, Detections, GeneratedImages, Mark, Mask, Picture, PictureTruth, Routed

NOUNS = ("thing", "object")


def detections(size_hw, names=(), boxes=(), masks=(), ids=(), *, scores=None, routes=None):
    return Detections(
        boxes=np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        scores=np.asarray([0.9] * len(boxes) if scores is None else scores, dtype=np.float32),
        class_ids=np.asarray(ids, dtype=np.int64),
        masks=np.asarray(masks, dtype=bool).reshape(-1, *size_hw),
        size_hw=size_hw,
        class_names=tuple(names),
        routes=tuple(routes or ["[DET]"] * len(names)),
    )


def words_of(parts):
    plain = []
    for part in parts:
        if isinstance(part, Mark):
            region = part.region
            plain.append(region.pixels.tobytes() if isinstance(region, Mask) else repr(region))
        elif not isinstance(part, Picture):
            plain.append(repr(part))
    return tuple(plain)


def fits(thing: WorldObject, phrase: str) -> bool:
    true = {thing.kind, thing.colour, thing.size, size_predicate(thing.size), fill_adjective(thing.fill), *NOUNS}
    return set(phrase.split()) <= true


class Oracle:
    """Answers everything rightly, from the scenes and samples of one setting."""

    def __init__(self, setting: WorldSetting) -> None:
        self.asked = 0
        self._scenes, self._answers, self._phrases, self._regions = {}, {}, {}, {}
        for index in range(setting.limit):
            picture = setting.image(index).tobytes()
            self._scenes[picture] = setting.picture(index).scene
            for family in FAMILIES:
                sample = setting.sample(index, family)
                if sample is None:
                    continue
                messages = sample.request.messages
                self._answers[picture, tuple(words_of(m.parts) for m in messages)] = sample
                marks = words_of(part for part in messages[-1].parts if isinstance(part, Mark))
                if family in families_of("point") and sample.truth:
                    self._regions[picture, marks] = sample.truth["detection"]
                plain = setting.sample(index, family, plain=True) if family in families_of("refer") else None
                if plain is not None:
                    self._phrases[picture, plain.request.messages[-1].text] = plain.truth.get("detection")

    def _sample(self, request):
        pictures = [p.tobytes() for p in request.pictures] or list(self._scenes)
        turns = tuple(words_of(m.parts) for m in request.messages)
        keys = [(picture, some) for picture in pictures for some in (turns, turns[-1:])]
        return next(self._answers[key] for key in keys if key in self._answers)

    def answer(self, requests, *, batch_size=8):
        self.asked += len(requests)
        return [self._answer(self._sample(request)) for request in requests]

    def _answer(self, sample):
        routed = [part for part in sample.answer.parts if isinstance(part, Routed)]
        if not routed:
            return Answer(text=sample.answer.text)
        truth, size = sample.truth["detection"], sample.request.pictures[0].size[::-1]
        names, routes = [part.text for part in routed], [part.token for part in routed]
        found = detections(size, names, truth.boxes, truth.masks, truth.class_ids, routes=routes)
        return Answer(text=sample.answer.text, detections=found)

    def detect_batch(self, images, classes, *, masks=False, options=None, batch_size=8):
        self.asked += len(images)
        return [self._detect(self._scenes[i.tobytes()], names) for i, names in zip(images, classes, strict=True)]

    def _detect(self, scene, names):
        found = [(thing, k) for k, name in enumerate(names) for thing in scene.objects if fits(thing, name)]
        things = [thing for thing, _ in found]
        boxes, masks = [t.box for t in things], [t.mask for t in things]
        return detections(scene.size_hw, names, boxes, masks, [k for _, k in found])

    def refer(self, image, phrase, *, options=None):
        self.asked += 1
        truth, size = self._phrases[image.tobytes(), phrase], image.size[::-1]
        if truth is None:
            return detections(size, [phrase], routes=["[GRD]"])
        return detections(size, [phrase], truth.boxes, truth.masks, truth.class_ids, routes=["[GRD]"])

    def segment_regions(self, image, regions, *, options=None):
        self.asked += 1
        truth = self._regions[image.tobytes(), words_of(Mark(region) for region in regions)]
        names = [f"region{i + 1}" for i in range(len(regions))]
        return detections(image.size[::-1], names, truth.boxes, truth.masks, truth.class_ids)


class Silent(Oracle):
    """Says and finds nothing."""

    def answer(self, requests, *, batch_size=8):
        return [Answer(text="") for _ in requests]

    def detect_batch(self, images, classes, *, masks=False, options=None, batch_size=8):
        return [detections(image.size[::-1], names) for image, names in zip(images, classes, strict=True)]

    def refer(self, image, phrase, *, options=None):
        return detections(image.size[::-1], [phrase])

    def segment_regions(self, image, regions, *, options=None):
        found = super().segment_regions(image, regions)
        return replace(found, masks=np.zeros_like(found.masks))


@pytest.fixture(scope="session")
def setting():
    return WorldSetting(split="test", seed=7, pictures=6, draws=20)


@pytest.fixture(scope="session")
def oracle(setting):
    return Oracle(setting)


@pytest.fixture(scope="session")
def silent(setting):
    return Silent(setting)


@pytest.fixture(scope="session")
def validation_oracle():
    return Oracle(WorldSetting(split="validation", seed=7, pictures=3))


@pytest.fixture(scope="session")
def detections_of():
    return detections


def right(sample, *, size_hw=None):
    """Answer a sample of version 2 rightly, as a model would that has a detector and makes pictures."""
    parts = sample.answer.parts
    routed = [part for part in parts if isinstance(part, Routed)]
    if not routed:
        return Answer(text=sample.answer.text)
    truth, found, made = sample.detection, None, ()
    if truth is not None:
        size = sample.request.pictures[-1].size[::-1]
        names, routes = [part.text for part in routed], [part.token for part in routed]
        found = detections(size, names, truth.boxes, truth.masks, truth.class_ids, routes=routes)
    for picture in sample.truth.values():
        if isinstance(picture, PictureTruth):
            made = (GeneratedImages(pictures=(picture.pixels,), seeds=(0,)),)
    return Answer(text=sample.answer.text, parts=parts, detections=found, pictures=made)


@pytest.fixture(scope="session")
def right_answer():
    return right
