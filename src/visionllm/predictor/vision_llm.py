"""The user's object: `VisionLLM` answers questions about pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from PIL import Image

from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.ops.area import resize_by_area
from visionllm.predictor.chat import Chat
from visionllm.predictor.core import Core
from visionllm.predictor.examples import Examples
from visionllm.predictor.opened import OpenedImage, Questions
from visionllm.predictor.protocols import Things, read_each
from visionllm.predictor.tasks import class_passes, classes_of_a_pass, draw_task
from visionllm.processing import (
    VisionLLMProcessor,
    known_class_answer,
    known_class_question,
    open_picture,
)
from visionllm.types import (
    Answer,
    Detections,
    Example,
    GeneratedImages,
    Message,
    Options,
    Poses,
    Region,
    Request,
    SemanticMap,
    ask,
)
from visionllm.weights import (
    Loading,
    fetch_model,
    is_hub_id,
    is_published,
    load_adapters,
    load_model,
    load_published,
)
from visionllm.weights.loading import Small
from visionllm.weights.placing import Device

ImageLike = Image.Image | str | PathLike[str] | bytes
"""A picture, the path of its file, or the content of the file."""

EMBEDDED = Path(__file__).resolve().parents[1] / "assets"


class VisionLLM:
    """A model with its processor, ready to answer.

    *Free* mode writes an answer and decodes what it routes: `ask`, `chat`, `answer`, `stream`, `describe_region`,
    `caption`. *Known-class* mode reads all classes in one pass and writes nothing: `detect`, `segment`, `refer`,
    `segment_semantic`, `segment_regions`, `pose`, `generate`, `edit`; with `Options(protocol="free")` these ask their
    question and let the model write its answer, too. `open` encodes a picture once for many questions.

    Args:
        model: The network.
        processor: Its processor.
        deterministic: Results don't depend in any bit on what else is in a batch: decoders run one by one, which is
            slower. Otherwise boxes may differ by less than 0.01 px.
        drawings_only: Say so when a picture looks like a photo.

    Raises:
        ValueError: If the processor's ids are not those of the network.
    """

    def __init__(
        self,
        model: VisionLLMForConditionalGeneration,
        processor: VisionLLMProcessor,
        *,
        deterministic: bool = False,
        drawings_only: bool = False,
    ) -> None:
        ids = processor.vocabulary.total_size
        if ids != model.config.id_space:
            raise ValueError(f"expected a processor of {model.config.id_space} ids, as the model has, got {ids}")
        self._core = Core(
            model=model.eval(), processor=processor, deterministic=deterministic, drawings_only=drawings_only
        )

    @classmethod
    def load(
        cls,
        model: str | PathLike[str] | None = None,
        *,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        deterministic: bool = False,
        decoders: Sequence[str] | None = None,
        quantise: Small | None = None,
        device_map: Literal["auto"] | Mapping[str, Device] | None = None,
        max_memory: Mapping[Device, int | str] | None = None,
        offload_folder: str | PathLike[str] | None = None,
        adapters: str | PathLike[str] | None = None,
    ) -> Self:
        """Load a model.

        Args:
            model: `"tiny"` or None for the embedded model, which knows drawings only; else the folder of a model, or
                its name on the Hugging Face hub. A folder in the published layout is read as it is, into as much memory
                as its model takes; a converted one is checked by checksums, and read faster.
            device: Where it computes; None takes the GPU if there is one.
            dtype: Its floating type; None means float32 on the CPU, and elsewhere the type it is stored in.
            deterministic: See the class.
            decoders: Names of the decoders that are built and read, such as `("detection",)`; None means all.
            quantise: `"int8"` or `"int4"` makes the language model smaller, and nothing else.
            device_map: `"auto"` spreads the language model over GPUs, main memory and disk; see `Loading`.
            max_memory: Bytes, or such as `"10GB"`, that `device_map` may fill of each device.
            offload_folder: Where `device_map` may leave what does not fit into memory.
            adapters: The folder of adapters for the language model, which `visionllm.weights.lora` wrote.

        Raises:
            ImportError: If a library is missing that a choice needs.
            ValueError: If there is no such model, its folder or that of the adapters is broken, or something that was
                asked for does not fit the model.
        """
        folder = find_model(model)
        place = find_device(device)
        loading = Loading(
            decoders=decoders,
            quantise=quantise,
            device_map=device_map,
            max_memory=max_memory,
            offload_folder=offload_folder,
        )
        if is_published(folder):
            network, processor = load_published(folder, device=place, dtype=dtype, loading=loading)
        else:
            processor = VisionLLMProcessor.from_pretrained(folder)
            network = load_model(folder, device=place, dtype=dtype, loading=loading)
        if adapters is not None:
            load_adapters(network, Path(adapters))
        return cls(network, processor, deterministic=deterministic, drawings_only=folder.parent == EMBEDDED)

    @property
    def core(self) -> Core:
        """The model and its processor as the engine takes them."""
        return self._core

    @property
    def model(self) -> VisionLLMForConditionalGeneration:
        """The network."""
        return self._core.model

    @property
    def processor(self) -> VisionLLMProcessor:
        """The processor."""
        return self._core.processor

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the task decoders that the network has, such as `"pose"`."""
        return tuple(name for name, _ in self.model.decoders.items())

    @property
    def drawings_only(self) -> bool:
        """Whether it was trained on drawings, and says so when a picture looks like a photo."""
        return self._core.drawings_only

    def ask(
        self,
        text: str,
        image: ImageLike | None = None,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Message] = (),
        options: Options | None = None,
    ) -> Answer:
        """Ask a question; the model writes its answer, and what it routes is decoded.

        Args:
            text: The question. Nothing in it is read as structure.
            image: The picture it is about, if any.
            regions: Places in the picture that the question points at, named region1, region2, … in this order.
            history: Earlier turns, with their own pictures; an answer's own turn is `Answer.message`.
            options: How to answer.

        Raises:
            ValueError: If the picture cannot be opened, a region is not on it, or the conversation is longer than the
                context.
        """
        return self.answer([self._request(text, image, regions, history, options)])[0]

    def stream(
        self,
        text: str,
        image: ImageLike | None = None,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Message] = (),
        options: Options | None = None,
    ) -> Iterator[str | Answer]:
        """Ask a question and yield pieces of the answer's text as they are written, then the whole answer.

        Raises:
            ValueError: As `ask`; or if the options ask for beams.
        """
        request = self._request(text, image, regions, history, options)
        yield from self._core.stream(self._core.prepare([request]))

    def chat(self, image: ImageLike | None = None, *, options: Options | None = None) -> Chat:
        """Begin a conversation, about a picture or without one.

        Raises:
            ValueError: If the picture cannot be opened.
        """
        return Chat(self._core, None if image is None else open_picture(image), options=options)

    def answer(self, requests: Sequence[Request], *, batch_size: int = 8) -> list[Answer]:
        """Answer requests of any mixture in batches; each gets the answer that it would get alone.

        Raises:
            ValueError: As `ask`; or if the batch size is not positive.
        """
        answers: list[Answer] = []
        for start in _starts(len(requests), batch_size):
            answers += self._core.answer(self._core.prepare(requests[start : start + batch_size]))
        return answers

    def caption(self, image: ImageLike, *, options: Options | None = None) -> Answer:
        """Describe a picture.

        Raises:
            ValueError: As `ask`.
        """
        return self._questions(image).caption(options=options)

    def describe_region(self, image: ImageLike, region: Region, *, options: Options | None = None) -> Answer:
        """Describe what a region of a picture holds.

        Raises:
            ValueError: As `ask`.
        """
        return self._questions(image).describe_region(region, options=options)

    def detect(
        self,
        image: ImageLike,
        classes: Sequence[str],
        *,
        question: str | None = None,
        options: Options | None = None,
    ) -> Detections:
        """Find the boxes of known classes in one pass, best score first.

        Args:
            image: The picture.
            classes: Names such as `"star"` or `"red star"`. More than one pass holds are read in several passes that
                share the picture.
            question: Other words to ask with, with `{names}` in them, such as
                `FAMILIES["salient"].question`; None takes the model's own.
            options: Protocol, threshold, overlaps and number of instances; `Options(threshold=0)` returns everything.

        Raises:
            ValueError: If the picture cannot be opened, a class is missing, blank or there twice, or the question lacks
                its placeholder.
        """
        return self._questions(image).detect(classes, question=question, options=options)

    def detect_batch(
        self,
        images: Sequence[ImageLike],
        classes: Sequence[str] | Sequence[Sequence[str]],
        *,
        masks: bool = False,
        options: Options | None = None,
        batch_size: int = 8,
    ) -> list[Detections]:
        """Find known classes in many pictures, in batches; each picture gets the result that it would get alone.

        Args:
            images: The pictures.
            classes: One list of names for all pictures, or one list for each.
            masks: Whether instances come with masks.
            options: As `detect`.
            batch_size: Pictures that go through the model at once.

        Raises:
            ValueError: As `detect`; or if there are not as many lists as pictures.
        """
        lists = _lists(classes, len(images))
        if len(lists) != len(images):
            raise ValueError(f"expected {len(images)} lists of classes, one a picture, got {len(lists)}")
        wishes = replace(options or Options(), masks=masks)
        most = classes_of_a_pass(self.processor.config, wishes)
        passes = [class_passes(names, most) for names in lists]
        found: dict[int, Detections] = {}
        short = [place for place, split in enumerate(passes) if len(split) == 1]
        for start in _starts(len(short), batch_size):
            batch = short[start : start + batch_size]
            results = self._known([images[i] for i in batch], [passes[i][0] for i in batch], wishes)
            found |= zip(batch, results, strict=True)
        for place in (i for i in range(len(images)) if i not in found):
            questions = self._questions(images[place])
            ask_for = questions.segment if masks else questions.detect
            found[place] = ask_for(lists[place], options=options)
        return [found[place] for place in range(len(images))]

    def segment(
        self,
        image: ImageLike,
        classes: Sequence[str],
        *,
        question: str | None = None,
        options: Options | None = None,
    ) -> Detections:
        """Find boxes and masks of known classes in one pass, best score first; the arguments are those of `detect`.

        Raises:
            ValueError: As `detect`.
        """
        return self._questions(image).segment(classes, question=question, options=options)

    def segment_semantic(
        self, image: ImageLike, classes: Sequence[str], *, options: Options | None = None
    ) -> SemanticMap:
        """Give every pixel of a picture one of the known classes.

        Raises:
            ValueError: As `detect`; or if the model has no detector, or routes no class in a free answer.
        """
        return self._questions(image).segment_semantic(classes, options=options)

    def refer(
        self, image: ImageLike, phrase: str, *, question: str | None = None, options: Options | None = None
    ) -> Detections:
        """Find the one thing that a phrase means, such as `"the second star from the left"`.

        Args:
            image: The picture.
            phrase: What is meant.
            question: Other words to ask with, with `{phrase}` in them, such as `FAMILIES["reason"].question`.
            options: As `detect`.

        Returns:
            One instance, or none if nothing fits better than the threshold.

        Raises:
            ValueError: If the picture cannot be opened, the phrase is blank, or the question lacks its placeholder.
        """
        return self._questions(image).refer(phrase, question=question, options=options)

    def pose(
        self,
        image: ImageLike,
        classes: Sequence[str],
        keypoints: Sequence[str] | None = None,
        *,
        options: Options | None = None,
    ) -> Poses:
        """Find objects of known classes with their keypoints in one pass, best score first.

        Args:
            image: The picture.
            classes: Names such as `"person"`.
            keypoints: Names such as `"left elbow"`, any of them, in any order; None means those that the classes have
                by themselves (`visionllm.types.skeletons`).
            options: As `detect`.

        Raises:
            ValueError: If the picture cannot be opened, a name is missing, blank or there twice, the classes have no
                keypoints by themselves, the model has no pose decoder, or it takes fewer keypoints.
        """
        return self._questions(image).pose(classes, keypoints, options=options)

    def generate(self, caption: str, *, options: Options | None = None) -> GeneratedImages:
        """Make a new picture.

        Args:
            caption: What it should show, such as `"two red stars above a boat"`.
            options: Seed, steps, guidance, size and scheduler.

        Raises:
            ValueError: If there are no words, the size, steps or scheduler don't fit the model, or it makes no
                pictures.
        """
        return draw_task(self._core, caption, options or Options()).run(self._core, self._core.prepare)

    def edit(
        self, image: ImageLike, wish: str, *, regions: Sequence[Region] = (), options: Options | None = None
    ) -> GeneratedImages:
        """Make a changed copy of a picture.

        Args:
            image: The picture.
            wish: What should change, such as `"Make the star blue"`.
            regions: Where it should change; every pixel outside all of them stays as it is.
            options: As `generate`; and how strongly the picture itself guides.

        Raises:
            ValueError: As `generate`; or if the picture cannot be opened, or a region is not on it.
        """
        return self._questions(image).edit(wish, regions=regions, options=options)

    def reconstruct(self, image: ImageLike) -> Image.Image:
        """Send a picture through the VAE of the generation decoder: the best that any picture it makes can look.

        The picture is resized by area to the size that the decoder makes pictures at, encoded, and the mean of its
        latents is decoded.

        Raises:
            ValueError: If the picture cannot be opened, or the model makes no pictures.
        """
        decoder = dict(self.model.decoders.items()).get("generation")
        if not isinstance(decoder, DiffusionDecoder):
            raise ValueError("expected a model that makes pictures, got one without a decoder for them")
        pixels = torch.from_numpy(np.array(open_picture(image))).permute(2, 0, 1).float() / 255
        made = decoder.reconstruct(resize_by_area(pixels, decoder.config.picture_hw)[None])[0]
        return Image.fromarray((made * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())

    def segment_regions(
        self, image: ImageLike, regions: Sequence[Region], *, options: Options | None = None
    ) -> Detections:
        """Segment what each region points at.

        Returns:
            One instance a region, in their order; with a threshold, those that reach it.

        Raises:
            ValueError: If the picture cannot be opened, there are no regions, or one is not on the picture.
        """
        return self._questions(image).segment_regions(regions, options=options)

    def learn(self, examples: Sequence[Example]) -> Examples:
        """Encode example pictures once; the result finds, names and describes such things in new pictures.

        Raises:
            ValueError: If there are too few or too many examples, labels are missing or blank, or a region is not on
                its picture.
        """
        return Examples(self._core, examples)

    def load_examples(self, path: str | PathLike[str]) -> Examples:
        """Read examples that `Examples.save` wrote.

        Raises:
            ValueError: If it is no such file, or another model made it.
        """
        return Examples.load(self._core, path)

    def find_like(
        self, examples: Sequence[Example] | Examples, images: Sequence[ImageLike], *, options: Options | None = None
    ) -> list[Detections]:
        """Find and mask everything in new pictures that is like one to five examples.

        Raises:
            ValueError: As `learn`; or if a picture cannot be opened.
        """
        learned = examples if isinstance(examples, Examples) else self.learn(examples)
        return [learned.find(open_picture(image), options=options) for image in images]

    def open(self, image: ImageLike) -> OpenedImage:
        """Encode a picture once; the result answers many questions about it, with the methods of this class.

        Raises:
            ValueError: If the picture cannot be opened.
        """
        return OpenedImage(self._core, open_picture(image))

    def _questions(self, image: ImageLike) -> Questions:
        return Questions(self._core, open_picture(image))

    def _request(
        self,
        text: str,
        image: ImageLike | None,
        regions: Sequence[Region],
        history: Sequence[Message],
        options: Options | None,
    ) -> Request:
        shown = None if image is None else open_picture(image)
        request = ask(text, shown, regions=tuple(regions), options=options)
        return replace(request, messages=(*history, *request.messages))

    def _known(self, images: Sequence[ImageLike], names: Sequence[Sequence[str]], options: Options) -> list[Detections]:
        prompts = self.processor.config.prompts
        answers = [known_class_answer(some, prompt=prompts.detect_answer) for some in names]
        requests = [
            ask(known_class_question(some, prompts.detect), open_picture(image), options=options)
            for image, some in zip(images, names, strict=True)
        ]
        return read_each(self._core, self._core.prepare, requests, answers, [Things(tuple(some)) for some in names])


def find_model(model: str | PathLike[str] | None = None) -> Path:
    """Return the folder of a model: one of the embedded ones by its name, the folder itself, or one of the hub's.

    Raises:
        ValueError: If there is no such model.
    """
    name = "tiny" if model is None else str(model)
    if (EMBEDDED / name).is_dir() and Path(name).name == name:
        return EMBEDDED / name
    if not Path(name).exists() and is_hub_id(name):
        return fetch_model(name)
    if not Path(name).is_dir():
        known = sorted(folder.name for folder in EMBEDDED.iterdir() if folder.is_dir()) if EMBEDDED.is_dir() else []
        raise ValueError(f"expected the folder of a model, or the name of one ({', '.join(known)}), got {name!r}")
    return Path(name)


def find_device(device: str | torch.device | None = None) -> torch.device:
    """Return a device that is there; None takes the GPU if there is one.

    Raises:
        ValueError: If there is no such device.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # what torch raises for unknown names and missing hardware
        raise ValueError(f"expected a device that is there, such as cpu, got {str(device)!r}") from error
    return found


def _lists(classes: Sequence[str] | Sequence[Sequence[str]], count: int) -> list[Sequence[str]]:
    """Return one list of names a picture, where one list may serve all."""
    names = [some for some in classes if isinstance(some, str)]
    if isinstance(classes, str) or len(names) == len(classes):
        return [classes if isinstance(classes, str) else names] * count
    return [some for some in classes if not isinstance(some, str)]


def _starts(count: int, batch_size: int) -> range:
    if batch_size < 1:
        raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
    return range(0, count, batch_size)
