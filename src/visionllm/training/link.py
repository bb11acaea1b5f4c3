"""The super link in training: what query groups aim at, and losses that draw their states towards what experts know."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor, nn

from visionllm.data.world.phrases import Phrase
from visionllm.data.world.scene import WorldPicture
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.decoders.detection import DetectionDecoder
from visionllm.decoders.pose import PoseDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing.targets import TrainBatch
from visionllm.training.aims import Aim, aim_codes
from visionllm.training.briefs import Brief, BriefEncoder, brief_codes, brief_of
from visionllm.training.expert import place_of
from visionllm.training.guided_answers import spans_of
from visionllm.training.readings import JOINTS, SAID
from visionllm.types import Routed, Sample
from visionllm.types.tensors import Queries

Rows = Sequence[tuple[WorldPicture, Sequence[Sample]]]


class LinkedModel(nn.Module):
    """The whole model beside what its decoders were asked with as experts.

    Args:
        model: What is trained.
        experts: By decoder name, what says the same as query groups should: an `AimEncoder` for those that find things,
            a `BriefEncoder` for those that make pictures; frozen.
    """

    def __init__(
        self, model: VisionLLMForConditionalGeneration, experts: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.experts = nn.ModuleDict(dict(experts or {}))

    def expert(self, decoder: str) -> nn.Module | None:
        """Return what says the same as a decoder's query groups should, or None."""
        return dict(self.experts.items()).get(decoder)


class Link(Protocol):
    """Draws the slot states of one decoder's query groups towards what an expert decoder was asked with.

    Attributes:
        decoder: Whose query groups.
    """

    decoder: str

    def targets(self, rows: Rows, batch: TrainBatch) -> Mapping[str, Tensor]:
        """Say what query groups should say, where batches are made.

        Args:
            rows: The picture of each row of the batch, and its samples; conversation k of a row is turn k, from 1.
            batch: The batch; `units` tells where each unit is.

        Returns:
            By name, tensors with one entry for each of `batch.units`, those of other decoders included.
        """
        ...

    def loss(self, module: LinkedModel, queries: Queries, targets: Mapping[str, Tensor]) -> Tensor | None:
        """Return float[], the loss of one batch, not weighted; None where the module knows no expert.

        Args:
            module: Holds the model, and what the experts know.
            queries: U units of this decoder.
            targets: What `targets` returned, of these units alone.
        """
        ...


class DetectionLink:
    """Draws slot states towards the aims that the expert detector learned with."""

    decoder = "detection"

    def targets(self, rows: Rows, batch: TrainBatch) -> dict[str, Tensor]:
        """Return codes int[U, K, 5], places float[U, K, 4] and aimed bool[U, K]; see `aim_codes`."""
        return _aim_tensors(unit_aims(rows, batch, self.decoder, aims_of))

    def loss(self, module: LinkedModel, queries: Queries, targets: Mapping[str, Tensor]) -> Tensor | None:
        """Return the squared distance of projected slot states from projected aims, in units of the aims' mean square.

        Raises:
            TypeError: If the model's detector is of another kind.
        """
        aims = module.expert(self.decoder)
        if aims is None:
            return None
        detector = module.model.decoder(self.decoder)
        if not isinstance(detector, DetectionDecoder):
            raise TypeError(f"expected a DetectionDecoder, got {type(detector).__name__}")
        wanted = aims(targets["codes"], targets["places"])
        return _distance(detector.query_projection, wanted, queries, targets["aimed"])


class PoseLink:
    """Draws slot states towards the aims that the expert pose decoder learned with: figures, and keypoints by name."""

    decoder = "pose"

    def targets(self, rows: Rows, batch: TrainBatch) -> dict[str, Tensor]:
        """Return codes int[U, K, 5], places float[U, K, 4] and aimed bool[U, K]; see `aim_codes`."""
        return _aim_tensors(unit_aims(rows, batch, self.decoder, pose_aims_of))

    def loss(self, module: LinkedModel, queries: Queries, targets: Mapping[str, Tensor]) -> Tensor | None:
        """Return the mean of the distances of groups that name figures and of those that name keypoints.

        Raises:
            TypeError: If the model's pose decoder is of another kind.
        """
        aims = module.expert(self.decoder)
        if aims is None:
            return None
        pose = module.model.decoder(self.decoder)
        if not isinstance(pose, PoseDecoder):
            raise TypeError(f"expected a PoseDecoder, got {type(pose).__name__}")
        wanted, joints = aims(targets["codes"], targets["places"]), targets["codes"][..., 0] > 0
        parts = [
            _distance(project, wanted, queries, targets["aimed"] & chosen)
            for project, chosen in ((pose.query_projection, ~joints), (pose.keypoint_projection, joints))
        ]
        known = [part for part in parts if part is not None]
        return torch.stack(known).mean() if known else None


class PictureLink:
    """Draws mapped slots towards what the expert U-Net learned to read.

    Args:
        decoder: `"generation"` or `"editing"`.
        states: Number of states that it reads.
    """

    def __init__(self, decoder: str, states: int) -> None:
        self.decoder, self.states = decoder, states

    def targets(self, rows: Rows, batch: TrainBatch) -> dict[str, Tensor]:
        """Return codes int[U, states, words], see `brief_codes`, and told bool[U]."""
        briefs: list[Brief | None] = []
        for unit in batch.units:
            sample = rows[unit.row][1][unit.turn - 1]
            briefs.append(brief_of(sample) if unit.decoder == self.decoder else None)
        told = torch.tensor([brief is not None for brief in briefs], dtype=torch.bool)
        return {"codes": brief_codes([brief or () for brief in briefs], self.states), "told": told}

    def loss(self, module: LinkedModel, queries: Queries, targets: Mapping[str, Tensor]) -> Tensor | None:
        """Return the squared distance of mapped slots from briefs, in units of the briefs' variance.

        It is the mean over states with words and that over states without, which are many and soon learned, together.

        Raises:
            TypeError: If the model's decoder makes no pictures.
        """
        briefs = module.expert(self.decoder)
        alone = targets["told"] & (queries.mask.sum(1) == 1)
        if not isinstance(briefs, BriefEncoder) or not bool(alone.any()):
            return None
        decoder = module.model.decoder(self.decoder)
        if not isinstance(decoder, DiffusionDecoder):
            raise TypeError(f"expected a DiffusionDecoder, got {type(decoder).__name__}")
        codes = targets["codes"][alone]
        wanted, said = briefs(codes).detach(), codes.any(-1)
        read = decoder.mapper(queries.states[alone][queries.mask[alone]].to(decoder.dtype))
        scale = briefs.spread().clamp_min(1e-6)
        far = ((read - wanted).square() / scale).mean(-1)
        return torch.stack([far[some].mean() for some in (said, ~said) if bool(some.any())]).sum()


def _aim_tensors(aims: Sequence[Sequence[Aim | None]]) -> dict[str, Tensor]:
    arrays = zip(("codes", "places", "aimed"), aim_codes(aims), strict=True)
    return {name: torch.from_numpy(array) for name, array in arrays}


def _distance(project: nn.Module, wanted: Tensor, queries: Queries, known: Tensor) -> Tensor | None:
    """Return how far projected slot states are from projected aims, in units of the aims' mean square."""
    groups = min(known.shape[1], queries.mask.shape[1])
    both = known[:, :groups] & queries.mask[:, :groups]
    if not bool(both.any()):
        return None
    target = project(wanted[:, :groups][both]).mean(1).detach()
    read = project(queries.states[:, :groups][both]).mean(1)
    return (read - target).square().mean() / target.square().mean().clamp_min(1e-6)


def pose_aims_of(sample: Sample, picture: WorldPicture) -> list[Aim | None]:
    """Return what each routed span of an answer about poses aims at: figures by kind and colour, or a keypoint."""
    return [_pose_aim(part) for part in sample.answer.parts if isinstance(part, Routed)]


def _pose_aim(span: Routed) -> Aim | None:
    if span.token == "[POSE]":
        return Aim(joint=span.text) if span.text in JOINTS else None
    said = attributes_in(span.text)
    return Aim(Phrase(**said)) if said and len(said) == len(span.text.split()) else None


LINKS: tuple[Link, ...] = (DetectionLink(), PoseLink())
"""Links of the decoders that find things; those that make pictures have one for their number of states."""


def unit_aims(
    rows: Rows, batch: TrainBatch, decoder: str, aims_of_spans: Callable[[Sample, WorldPicture], list[Aim | None]]
) -> list[list[Aim | None]]:
    """Return the aims of each unit; none for an answer whose spans fall into several units, or for other decoders."""
    aims: list[list[Aim | None]] = []
    for (row, turn), same in groupby(batch.units, key=lambda unit: (unit.row, unit.turn)):
        units = list(same)
        picture, samples = rows[row]
        alone = len(units) == 1 and units[0].decoder == decoder
        aims += [aims_of_spans(samples[turn - 1], picture)] if alone else [[] for _ in units]
    return aims


def aims_of(sample: Sample, picture: WorldPicture) -> list[Aim | None]:
    """Return what each routed span of an answer aims at: attributes in its words, or the place of one thing.

    The words of version 2 go beyond attributes: a span whose attributes don't say which things it stands for aims at
    the place of the one it does, or at nothing.
    """
    spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
    found = spans_of(sample, picture) or [[] for _ in spans]
    scene = picture.scene
    aims: list[Aim | None] = []
    for span, things in zip(spans, found, strict=True):
        phrase = Phrase(**attributes_in(span.text))
        single = bool(things) and (not span.text or span.text.startswith("region"))
        if scene.version > 1 and not single:
            said = phrase != Phrase() and set(phrase.among(scene.things)) == set(things)
            phrase, single = (phrase, False) if said else (Phrase(), len(things) == 1)
            if not said and not single:
                aims.append(None)
                continue
        aims.append(Aim(phrase, place_of(things[-1], scene.size_hw) if single else None))
    return aims


def attributes_in(text: str) -> dict[str, str]:
    """Return the attributes that a text names; two words may name one.

    >>> attributes_in("small red missing screw")
    {'size': 'small', 'colour': 'red', 'kind': 'missing screw'}
    """
    words, found, place = text.split(), {}, 0
    while place < len(words):
        for length in (2, 1):
            word = " ".join(words[place : place + length])
            if word in _NAMES:
                name, value = _NAMES[word]
                found[name] = value
                place += length - 1
                break
        place += 1
    return found


def adjective_of(word: str) -> str:
    """Return the form in which an attribute stands before a noun."""
    return "outlined" if word == "outline" else word


_NAMES = {adjective_of(word): (name, word) for name, values in SAID.items() for word in values}
