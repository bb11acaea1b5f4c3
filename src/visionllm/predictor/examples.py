"""Learning from examples: pictures with a marked thing, then new pictures in which such things are named or marked."""

import json
from collections.abc import Sequence
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from visionllm.model import EncodedPictures, VisionLLMForConditionalGeneration, join_encoded
from visionllm.predictor.core import Core, Prepared
from visionllm.predictor.protocols import Things
from visionllm.predictor.tasks import Task
from visionllm.processing import known_class_answer
from visionllm.processing.prompts import fill
from visionllm.processing.regions import region_mask
from visionllm.types import Answer, Detections, Example, Mark, Mask, Message, Options, Part, Picture, Request

MOST = 5
UNNAMED = "such thing"
"""How results call what is like examples without names."""
_FORMAT = "visionllm examples 1"


class Examples:
    """Examples that were encoded once, for questions about many new pictures.

    Args:
        core: The model.
        examples: One to five; all of them have a label, or none has.
        encoded: What the vision encoder made of their pictures, or None to encode them.

    Raises:
        ValueError: If there are too few or too many, labels are missing or blank, or a region is not on its picture.
    """

    def __init__(self, core: Core, examples: Sequence[Example], encoded: EncodedPictures | None = None) -> None:
        check_examples(examples)
        self.core, self.examples = core, tuple(examples)
        self.encoded = self._encode() if encoded is None else encoded

    @property
    def labels(self) -> tuple[str, ...]:
        """The different labels, in order; empty without any."""
        return labels_of(self.examples)

    def find(self, image: Image.Image, *, options: Options | None = None) -> Detections:
        """Find and mask everything in a picture that is like the examples; with labels, each label is a class.

        Raises:
            ValueError: If the model has no detector.
        """
        return like_task(self.core, self.examples, image, options or Options()).run(self.core, self._prepare_all)

    def ask(self, text: str, image: Image.Image, *, options: Options | None = None) -> Answer:
        """Ask freely about a new picture, such as `"What is this?"` or `"Describe it in the same manner."`.

        Raises:
            ValueError: If the question is malformed or longer than the context.
        """
        return self.core.answer(self._prepare(_asked(self._parts(), image, text, options or Options())))[0]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the examples with what the model made of them into a safetensors file."""
        tensors = {"tokens": self.encoded.tokens, "splits": self.encoded.splits, "seen": self.encoded.pixel_values}
        tensors |= {f"levels.{i}": level for i, level in enumerate(self.encoded.levels)}
        for i, example in enumerate(self.examples):
            tensors[f"pictures.{i}"] = torch.from_numpy(np.array(example.image))
            tensors[f"masks.{i}"] = torch.from_numpy(_mask(example, i))
        labels = json.dumps([example.label for example in self.examples])
        metadata = {"format": _FORMAT, "labels": labels, "model": fingerprint(self.core.model)}
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, Path(path), metadata)

    @classmethod
    def load(cls, core: Core, path: str | PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: If it is no such file, or another model made it.
        """
        try:
            with safe_open(Path(path), framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 – it is no mapping
        except (SafetensorError, OSError) as error:
            raise ValueError(f"expected a file of examples, got {str(path)!r}: {error}") from error
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"expected a file of examples, got another one in {str(path)!r}")
        if metadata["model"] != fingerprint(core.model):
            raise ValueError(f"expected examples that this model encoded, got those of another one in {str(path)!r}")
        examples = [
            Example(
                Image.fromarray(tensors[f"pictures.{i}"].numpy()),
                Mask(tensors[f"masks.{i}"].numpy().astype(bool)),
                name,
            )
            for i, name in enumerate(json.loads(metadata["labels"]))
        ]
        levels = sorted((name for name in tensors if name.startswith("levels.")), key=lambda name: int(name[7:]))
        encoded = EncodedPictures(
            tokens=tensors["tokens"],
            splits=tensors["splits"],
            pixel_values=tensors["seen"],
            levels=tuple(tensors[name] for name in levels),
        )
        return cls(core, examples, encoded.to(core.model.device))

    def _parts(self) -> list[Part]:
        return shown_parts(self.core, self.examples)

    @torch.no_grad()
    def _encode(self) -> EncodedPictures:
        inputs = self.core.processor([Request((Message("user", (*self._parts(), "?")),))]).to(self.core.model.device)
        if inputs.pixel_values is None or inputs.splits is None:
            raise ValueError("expected a model that sees pictures, got one that encodes none")
        return self.core.model.encode_pictures(inputs.pixel_values, inputs.splits)

    def _prepare_all(self, requests: Sequence[Request], answers: Sequence[Sequence[Part] | None] | None) -> Prepared:
        (request,) = requests
        return self._prepare(request, None if answers is None else answers[0])

    @torch.no_grad()
    def _prepare(self, request: Request, answer: Sequence[Part] | None = None) -> Prepared:
        """Prepare a request; of its pictures only the new one is encoded."""
        inputs = self.core.processor([request], answers=None if answer is None else [answer]).to(self.core.model.device)
        if self.core.deterministic or inputs.pixel_values is None or inputs.splits is None:
            return self.core.prepare([request], None if answer is None else [answer])
        seen = int(self.encoded.splits.sum())
        new = self.core.model.encode_pictures(inputs.pixel_values[seen:], inputs.splits[len(self.encoded) :])
        return Prepared(requests=(request,), inputs=inputs, encoded=join_encoded([self.encoded, new]))


def like_task(core: Core, examples: Sequence[Example], image: Image.Image, options: Options) -> Task[Detections]:
    """Find and mask everything in a picture that is like the examples; see `Examples.find`.

    Raises:
        ValueError: As `check_examples`.
    """
    check_examples(examples)
    prompts, labels = core.processor.config.prompts, labels_of(examples)
    named = [prompts.like_one.format(label=label) for label in labels or (prompts.like_unnamed,)]
    question = prompts.like.format(names=", ".join(named))
    return Task(
        requests=(_asked(shown_parts(core, examples, prompts.like_unnamed), image, question, options),),
        answers=(known_class_answer(named, prompt=prompts.like_answer),),
        kinds=(Things(labels or (UNNAMED,)),),
    )


def labels_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the different labels, in order; empty without any."""
    return tuple(dict.fromkeys(e.label.strip() for e in examples if e.label is not None))


def shown_parts(core: Core, examples: Sequence[Example], unnamed: str | None = None) -> list[Part]:
    """Return examples as they stand before a question; those without a name are called `unnamed`, if at all."""
    prompts, parts = core.processor.config.prompts, []
    for i, example in enumerate(examples):
        name = unnamed if example.label is None else example.label.strip()
        told = " " if name is None else f" {prompts.example_label.format(label=name)} "
        parts += [Picture(example.image), *fill(prompts.example, "region", [Mark(example.region, i)]), told]
    return parts


def _asked(shown: Sequence[Part], image: Image.Image, text: str, options: Options) -> Request:
    return Request((Message("user", (*shown, Picture(image), text)),), options)


def check_examples(examples: Sequence[Example]) -> None:
    """Refuse examples that cannot be learned from.

    Raises:
        ValueError: If there are too few or too many, labels are missing or blank, a picture is missing, or a region is
            missing or not on its picture.
    """
    if not 1 <= len(examples) <= MOST:
        raise ValueError(f"expected 1 to {MOST} examples, got {len(examples)}")
    labelled = [example.label for example in examples if example.label is not None]
    if labelled and len(labelled) != len(examples):
        raise ValueError(f"expected a label for each of {len(examples)} examples or for none, got {len(labelled)}")
    if any(not label.strip() for label in labelled):
        raise ValueError("expected words in the label of each example, got a blank one")
    for i, example in enumerate(examples):
        if not isinstance(example.image, Image.Image):
            raise ValueError(f"expected a picture in example {i}, such as open_picture returns, got {example.image!r}")
        _mask(example, i)


def fingerprint(model: VisionLLMForConditionalGeneration) -> str:
    """Return a name for what a model makes of pictures: equal for equal weights of encoder, projector and regions."""
    digest = sha256()
    for name, parameter in sorted(model.named_parameters()):
        if not name.startswith(("language_model.", "decoders.", "super_link.")):
            values = parameter.detach().float().flatten()
            digest.update(f"{name} {tuple(parameter.shape)} {values.sum().item():.6g} {values[:8].tolist()}".encode())
    return digest.hexdigest()


def _mask(example: Example, index: int) -> NDArray[np.bool_]:
    return region_mask(example.region, (example.image.height, example.image.width), index=index)
