"""The super link in training: what query groups aim at, and losses that draw their states towards what experts know."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor, nn

from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.data.world.scene import WorldPicture
from visionllm.decoders.detection import DetectionDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing.targets import TrainBatch
from visionllm.training.aims import Aim, AimEncoder, aim_codes
from visionllm.training.expert import place_of
from visionllm.training.guided_answers import spans_of
from visionllm.types import Routed, Sample
from visionllm.types.tensors import Queries

Rows = Sequence[tuple[WorldPicture, Sequence[Sample]]]


class LinkedModel(nn.Module):
    """The whole model beside the aims its detector learned as an expert.

    Args:
        model: What is trained.
        aims: What slot states should say; frozen. None where no detector takes part yet.
    """

    def __init__(self, model: VisionLLMForConditionalGeneration, aims: AimEncoder | None = None) -> None:
        super().__init__()
        self.model, self.aims = model, aims


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
        """Return codes int[U, K, 4], places float[U, K, 4] and aimed bool[U, K]; see `aim_codes`."""
        codes, places, aimed = aim_codes(unit_aims(rows, batch))
        tensors = {"codes": codes, "places": places, "aimed": aimed}
        return {name: torch.from_numpy(array) for name, array in tensors.items()}

    def loss(self, module: LinkedModel, queries: Queries, targets: Mapping[str, Tensor]) -> Tensor | None:
        """Return the squared distance of projected slot states from projected aims, in units of the aims' mean square.

        Raises:
            TypeError: If the model's detector is of another kind.
        """
        if module.aims is None:
            return None
        detector = module.model.decoder(self.decoder)
        if not isinstance(detector, DetectionDecoder):
            raise TypeError(f"expected a DetectionDecoder, got {type(detector).__name__}")
        wanted = module.aims(targets["codes"], targets["places"])
        known = targets["aimed"]
        groups = min(known.shape[1], queries.mask.shape[1])
        both = known[:, :groups] & queries.mask[:, :groups]
        if not bool(both.any()):
            return None
        project = detector.query_projection
        target = project(wanted[:, :groups][both]).mean(1).detach()
        read = project(queries.states[:, :groups][both]).mean(1)
        scale = target.square().mean().clamp_min(1e-6)
        return (read - target).square().mean() / scale


LINKS: tuple[Link, ...] = (DetectionLink(),)


def unit_aims(rows: Rows, batch: TrainBatch) -> list[list[Aim | None]]:
    """Return the aims of each unit; none for an answer whose spans fall into several units, or for other decoders."""
    aims: list[list[Aim | None]] = []
    for (row, turn), same in groupby(batch.units, key=lambda unit: (unit.row, unit.turn)):
        units = list(same)
        picture, samples = rows[row]
        alone = len(units) == 1 and units[0].decoder == DetectionLink.decoder
        aims += [aims_of(samples[turn - 1], picture)] if alone else [[] for _ in units]
    return aims


def aims_of(sample: Sample, picture: WorldPicture) -> list[Aim | None]:
    """Return what each routed span of an answer aims at: attributes in its words, or the place of one thing.

    The words of version 2 go beyond attributes: a span whose attributes don't say which things it stands for aims at
    the place of the one it does, or at nothing.
    """
    words = {adjective_of(word): (name, word) for name, values in ATTRIBUTES.items() for word in values}
    spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
    found = spans_of(sample, picture) or [[] for _ in spans]
    scene = picture.scene
    aims: list[Aim | None] = []
    for span, things in zip(spans, found, strict=True):
        phrase = Phrase(**dict(words[word] for word in span.text.split() if word in words))
        single = bool(things) and (not span.text or span.text.startswith("region"))
        if scene.version > 1 and not single:
            said = phrase != Phrase() and set(phrase.among(scene.things)) == set(things)
            phrase, single = (phrase, False) if said else (Phrase(), len(things) == 1)
            if not said and not single:
                aims.append(None)
                continue
        aims.append(Aim(phrase, place_of(things[-1], scene.size_hw) if single else None))
    return aims


def adjective_of(word: str) -> str:
    """Return the form in which an attribute stands before a noun."""
    return "outlined" if word == "outline" else word
