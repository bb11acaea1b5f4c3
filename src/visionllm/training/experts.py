"""The experts of a run in the place of a whole model: what each decoder can do before the language model asks it.

They are asked by what stood for the language model while they learned: aims and briefs instead of slots. So only
known-class mode makes sense, and what an instruction to edit means has to be told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from visionllm.data.world.families.pose import joints_of
from visionllm.data.world.judging import read_wish
from visionllm.data.world.phrases import Phrase
from visionllm.processing.decoder_images import DecoderImageConfig, decoder_batch
from visionllm.training.aims import Aim, AskedBatch, aim_codes
from visionllm.training.briefs import Brief, brief_codes, brief_of, brief_of_wish
from visionllm.training.building import expert_of
from visionllm.training.expert import ExpertDetector
from visionllm.training.link import adjective_of, attributes_in
from visionllm.training.painter import ExpertPainter
from visionllm.training.pose_expert import ExpertPose
from visionllm.training.recipe import RecipeRun
from visionllm.types import Answer, Detections, Example, GeneratedImages, Options, Poses, Region, Request, Sample
from visionllm.types.tensors import Queries

ExpertT = TypeVar("ExpertT", bound=nn.Module)
_NOUNS = ("thing", "object")


def phrase_of(text: str) -> Phrase:
    """Read a noun phrase from its words.

    Raises:
        ValueError: If a word is no part of the world.

    >>> phrase_of("small red striped star")
    Phrase(kind='star', colour='red', fill='striped', size='small', noun='thing')
    """
    said = attributes_in(text)
    known = {*_NOUNS, *" ".join(map(adjective_of, said.values())).split()}
    unknown = [word for word in text.split() if word not in known]
    if unknown:
        raise ValueError(f"expected words of the picture world, got {unknown[0]!r} in {text!r}")
    return Phrase(**said)


def briefs_by_words(samples: Iterable[Sample]) -> dict[str, Brief]:
    """Return what instructions to edit mean, by their words, as the generator knows it."""
    told = {sample.request.messages[-1].text: brief_of(sample) for sample in samples}
    return {text: brief for text, brief in told.items() if brief is not None}


@dataclass(frozen=True, kw_only=True)
class Experts:
    """Experts as a predictor of known classes; see `visionllm.evaluation.Predictor`.

    Attributes:
        images: How decoders see a picture.
        by_decoder: The experts by the decoder that each trains.
        briefs: What instructions to edit mean, by their words; see `briefs_by_words`.
    """

    images: DecoderImageConfig
    by_decoder: Mapping[str, nn.Module]
    briefs: Mapping[str, Brief] = field(default_factory=dict)

    @classmethod
    def of(cls, run: RecipeRun, briefs: Mapping[str, Brief] | None = None) -> "Experts":
        """Take the last expert of each decoder that has a result in a run.

        Raises:
            ValueError: If there is none.
        """
        found: dict[str, nn.Module] = {}
        for stage in run.recipe.stages:
            decoder = expert_of(stage)
            if decoder is not None and run.has_result(stage.name):
                found[decoder] = run.trained(stage.name).eval()
        images = run.recipe.processor.decoder
        if not found or images is None:
            raise ValueError(f"expected the result of an expert in {run.folder}, got none")
        return cls(images=images, by_decoder=found, briefs=briefs or {})

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the decoders that have an expert."""
        return tuple(self.by_decoder)

    def detect_batch(
        self,
        images: Sequence[Image.Image],
        classes: Sequence[Sequence[str]],
        *,
        masks: bool = False,
        options: Options | None = None,
        batch_size: int = 8,
    ) -> list[Detections]:
        """Find known classes, one list of them a picture; masks always come along.

        Raises:
            ValueError: If there is no such expert, or a word is no part of the world.
        """
        expert = self._expert("detection", ExpertDetector)
        found: list[Detections] = []
        for first in range(0, len(images), batch_size):
            some = slice(first, first + batch_size)
            asked = [[("[DET]", Aim(phrase_of(name))) for name in names] for names in classes[some]]
            batch = self._asked(images[some], asked)
            with torch.no_grad():
                found += expert.detector.decode(expert.aims.queries(batch), batch.images, options or Options())
        return found

    def pose(
        self,
        image: Image.Image,
        classes: Sequence[str],
        keypoints: Sequence[str] | None = None,
        *,
        options: Options | None = None,
    ) -> Poses:
        """Find known classes with their keypoints, by default all that these classes have.

        Raises:
            ValueError: If there is no such expert, or a word is no part of the world.
        """
        expert = self._expert("pose", ExpertPose)
        names = tuple(keypoints or joints_of(classes))
        asked = [("[DET]", Aim(phrase_of(name))) for name in classes]
        asked += [("[POSE]", Aim(joint=name)) for name in names]
        batch = self._asked([image], [asked])
        with torch.no_grad():
            (poses,) = expert.pose.decode(expert.aims.queries(batch), batch.images, options or Options())
        return replace(poses, class_names=tuple(classes), keypoint_names=names)

    def _asked(self, images: Sequence[Image.Image], asked: Sequence[Sequence[tuple[str, Aim]]]) -> AskedBatch:
        """Return one unit a picture."""
        codes, places, mask = aim_codes([[aim for _, aim in aims] for aims in asked])
        return AskedBatch(
            images=decoder_batch(list(images), self.images),
            images_of=torch.arange(len(images)),
            codes=torch.from_numpy(codes),
            places=torch.from_numpy(places),
            mask=torch.from_numpy(mask),
            routes=tuple(tuple(route for route, _ in aims) for aims in asked),
        )

    def generate(self, caption: str, *, options: Options | None = None) -> GeneratedImages:
        """Make a new picture of what a caption of the world says.

        Raises:
            ValueError: If there is no such expert, or a word is no part of the world.
        """
        blank = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
        return self._painted("generation", brief_of_wish(read_wish(caption)), blank, options)

    def edit(self, image: Image.Image, wish: str, *, options: Options | None = None) -> GeneratedImages:
        """Make a changed copy of a picture.

        Raises:
            ValueError: If there is no such expert, or nobody told what the wish means.
        """
        if wish not in self.briefs:
            raise ValueError(f"expected one of the instructions whose meaning is told, got {wish!r}")
        return self._painted("editing", self.briefs[wish], image, options)

    def _painted(self, name: str, brief: Brief, image: Image.Image, options: Options | None) -> GeneratedImages:
        painter = self._expert(name, ExpertPainter)
        decoder = painter.decoder
        with torch.no_grad():
            states = painter.briefs(brief_codes([brief], decoder.config.tokens))
            queries = Queries(
                states=states.new_zeros(1, 1, 1, 1),
                mask=torch.ones(1, 1, dtype=torch.bool),
                images=torch.zeros(1, dtype=torch.int64),
                rows=torch.zeros(1, dtype=torch.int64),
                turns=torch.ones(1, dtype=torch.int64),
                positions=torch.zeros(1, 1, dtype=torch.int64),
                routes=((decoder.routes[0].token,),),
            )
            return decoder.decode(queries, decoder_batch([image], self.images), options or Options(), states)[0]

    def _expert(self, name: str, kind: type[ExpertT]) -> ExpertT:
        expert = self.by_decoder.get(name)
        if not isinstance(expert, kind):
            raise ValueError(f"expected an expert of {name}, got those of {', '.join(self.by_decoder)}")
        return expert

    def answer(self, requests: Sequence[Request], *, batch_size: int = 8) -> list[Answer]:
        """Refuse: experts read no words."""
        raise ValueError("experts read no words; they are asked in known-class mode only")

    def refer(self, image: Image.Image, phrase: str, *, options: Options | None = None) -> Detections:
        """Refuse: experts know no phrases about other things."""
        raise ValueError("experts know no phrases that compare things")

    def segment_regions(
        self, image: Image.Image, regions: Sequence[Region], *, options: Options | None = None
    ) -> Detections:
        """Refuse: experts see no marks."""
        raise ValueError("experts see no marked regions")

    def find_like(
        self, examples: Sequence[Example], images: Sequence[Image.Image], *, options: Options | None = None
    ) -> list[Detections]:
        """Refuse: experts see one picture at a time, and no marks."""
        raise ValueError("experts see no examples")

    def reconstruct(self, image: Image.Image) -> Image.Image:
        """Refuse: what a VAE loses is no matter of words."""
        raise ValueError("experts are not asked about the VAE; ask the whole model")
