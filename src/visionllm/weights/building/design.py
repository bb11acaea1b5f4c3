"""What a model of public parts will be, from their configurations, tokenizer and tensor names: nothing is read yet."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedConfig

from visionllm.config import VisionLLMConfig
from visionllm.config.pixels import IMAGENET_MEAN, IMAGENET_STD
from visionllm.processing import (
    PUBLISHED,
    ROUTES,
    TABLES,
    DecoderImageConfig,
    ProcessorConfig,
    VisionImageConfig,
    VisionLLMProcessor,
    Vocabulary,
)
from visionllm.processing.tiles import CLIP_MEAN, CLIP_STD
from visionllm.weights.building.detection import detection_settings
from visionllm.weights.building.diffusion import KINDS, diffusion_settings, diffusion_sources
from visionllm.weights.building.settings import SETTINGS, part_config, part_settings
from visionllm.weights.building.sources import (
    LANGUAGE_DROPPED,
    VISION_DROPPED,
    VISION_SPARE,
    Loaded,
    Sources,
    library_sources,
)
from visionllm.weights.building.words import Words, read_words
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.published import TOKENS
from visionllm.weights.published_processor import PICTURES, made_pictures, normalisation

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The folders of the public parts of a model.

    Attributes:
        vision: A vision encoder in the layout of Hugging Face; of a model with two towers only its vision tower counts.
        language: A causal language model with its tokenizer, in the same layout.
        detection: A Grounding DINO in the same layout, or None.
        generation: A Stable Diffusion in the layout of diffusers, or None.
        editing: An InstructPix2Pix in the layout of diffusers, or None.
    """

    vision: Path
    language: Path
    detection: Path | None = None
    generation: Path | None = None
    editing: Path | None = None


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What is chosen about a model of public parts; the defaults are the published model's.

    Attributes:
        projector: What stands between vision encoder and language model; see `ProjectorConfig`.
        vision_layer: Index into the vision encoder's hidden states whose features the language model reads.
        pixel_shuffle: 2 joins each square of 2×2 neighbouring features into one, 1 joins none.
        image_size: Side in pixels of what the vision encoder sees; None means what its configuration says.
        max_tiles: Most tiles that a picture is cut into.
        regions: Build a region encoder.
        dtype: Of all weights; None keeps the type of what is taken, and makes what is new float32.
        seed: Of what is new.
    """

    projector: str = "mlp2x_gelu"
    vision_layer: int = -2
    pixel_shuffle: int = 1
    image_size: int | None = None
    max_tiles: int = 4
    regions: bool = True
    dtype: torch.dtype | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Blueprint:
    """A model that is not built yet.

    Attributes:
        parts: Its folders.
        config: Its configuration.
        processor: Its processor.
        words: Its tokenizer, and what is new in it.
        sources: Where its tensors lie, by the beginning of their names in the model; the detector's are matched later.
        language: The language model as it was.
        deviation: With which what is new in the detector starts.
        notes: What a user should know.
    """

    parts: Parts
    config: VisionLLMConfig
    processor: VisionLLMProcessor
    words: Words
    sources: Mapping[str, Sources]
    language: Loaded
    deviation: float = 0.02
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a vision encoder makes of a picture.

    Attributes:
        side: Of the picture in pixels.
        prefix: Tokens before the patches.
        cells: Features of one picture.
        patch: Pixels a side of a cell of its last features.
        levels: Its last hidden states of one size, at most three.
    """

    side: int
    prefix: int
    cells: int
    patch: int
    levels: tuple[int, ...]


@dataclass(kw_only=True)
class _Decoders:
    configs: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Sources] = field(default_factory=dict)
    deviation: float = 0.02


@contextmanager
def named(part: str) -> Iterator[None]:
    """Say in errors of the inside which part they are about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{part} part: {error}") from error


def design(parts: Parts, options: BuildOptions) -> Blueprint:
    """Plan a model.

    Raises:
        ValueError: If a part is missing, damaged, of another kind or does not fit the others; with its name.
    """
    with named("vision"):
        vision = _vision_config(parts.vision)
        seen = sight(vision, options)
        mean, std = _encoder_normalisation(parts.vision, vision)
        encoder = library_sources(Checkpoint(parts.vision), AutoModel, vision, VISION_DROPPED, VISION_SPARE)
    with named("language"):
        text = part_config(part_settings(parts.language), str(parts.language / SETTINGS))
        words = read_words(parts.language)
        if words.own > text.vocab_size:
            raise ValueError(
                f"expected a tokenizer of at most {text.vocab_size} ids, as {parts.language / SETTINGS} says, "
                f"got {words.own}"
            )
        language = library_sources(Checkpoint(parts.language), AutoModelForCausalLM, text, LANGUAGE_DROPPED)
    decoders = _decoders(parts)
    vocabulary = Vocabulary(
        words.tokenizer,
        tables=TABLES,
        routes=ROUTES,
        size=max(text.vocab_size, len(words.tokenizer)),
        word_prefix=words.prefix,
    )
    text.vocab_size = vocabulary.size
    text.bos_token_id, text.eos_token_id, text.pad_token_id = vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id
    config = _config(vision, text, seen, vocabulary, decoders, options)
    split = VisionImageConfig(image_size=seen.side, max_tiles=options.max_tiles, mean=mean, std=std)
    return Blueprint(
        parts=parts,
        config=config,
        processor=_processor(parts, config, words, split, seen.cells // options.pixel_shuffle**2),
        words=words,
        sources={"vision_encoder.": encoder.sources, "language_model.": language.sources, **decoders.sources},
        language=language,
        deviation=decoders.deviation,
        notes=words.notes,
    )


def _vision_config(folder: Path) -> PreTrainedConfig:
    """Return the configuration of the vision encoder, which may be one tower of a model with two."""
    whole = part_config(part_settings(folder), str(folder / SETTINGS))
    return getattr(whole, "vision_config", whole)


def sight(config: PreTrainedConfig, options: BuildOptions) -> Sight:
    """Find out what a vision encoder makes of a picture; nothing is computed.

    Raises:
        ValueError: If it has no size, layer or hidden states of the wanted kind.
    """
    side = options.image_size or getattr(config, "image_size", None)
    if not isinstance(side, int):
        raise ValueError(f"expected the side of a picture in the configuration's image_size or as option, got {side!r}")
    try:
        with torch.device("meta"):
            encoder = AutoModel.from_config(config).eval()
            hidden = encoder(pixel_values=torch.empty(1, 3, side, side), output_hidden_states=True).hidden_states
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"expected an encoder that sees a picture of {side} pixels: {error}") from error
    if not hidden or not -len(hidden) <= options.vision_layer < len(hidden):
        raise ValueError(f"expected a vision_layer among {len(hidden or ())} hidden states, got {options.vision_layer}")
    last, read = hidden[-1], hidden[options.vision_layer]
    if read.ndim == 4:
        prefix, cells, patch = 0, read.shape[2] * read.shape[3], side // last.shape[2]
    else:
        patch = getattr(config, "patch_size", None)
        if not isinstance(patch, int):
            raise ValueError(f"expected patch_size in the configuration of a {config.model_type}, got {patch!r}")
        cells = (side // patch) ** 2
        prefix = read.shape[1] - cells
    if prefix < 0:
        raise ValueError(f"expected features of {cells} cells of a picture of {side} pixels, got {read.shape[1]}")
    if options.pixel_shuffle == 2 and (side // patch) % 2:
        raise ValueError(f"expected features of an even number of cells a side to join, got {side // patch}")
    levels = [i for i in (-3, -2, -1) if -i <= len(hidden) and hidden[i].shape == last.shape]
    return Sight(side=side, prefix=prefix, cells=cells, patch=patch, levels=tuple(levels))


def _encoder_normalisation(folder: Path, config: PreTrainedConfig) -> tuple[Triple, Triple]:
    """Return how the vision encoder's pictures are normalised."""
    if not (folder / PICTURES).is_file() and not config.model_type.startswith("clip"):
        raise ValueError(f"expected image_mean and image_std in {folder / PICTURES}, got no such file")
    return normalisation(folder, (CLIP_MEAN, CLIP_STD))


def _decoders(parts: Parts) -> _Decoders:
    """Read the configurations of the decoders' parts, and match the tensors of diffusion models."""
    found = _Decoders()
    if parts.detection is not None:
        with named("detection"):
            settings, found.deviation = detection_settings(parts.detection)
            found.configs["detection"] = vars(settings)
    mean, std = _decoder_normalisation(parts)
    for name in KINDS:
        folder = getattr(parts, name)
        if folder is None:
            continue
        with named(name):
            pixels = {"pixel_mean": mean, "pixel_std": std} if name == "editing" else {}
            found.configs[name] = vars(diffusion_settings(name, folder, **pixels))
            for part, sources in diffusion_sources(folder).items():
                found.sources[f"decoders.{name}.{part}."] = sources
    return found


def _decoder_normalisation(parts: Parts) -> tuple[Triple, Triple]:
    """Return how the decoders' pictures are normalised: as the detector's folder says, or as ImageNet's."""
    if parts.detection is None:
        return IMAGENET_MEAN, IMAGENET_STD
    with named("detection"):
        return normalisation(parts.detection, (IMAGENET_MEAN, IMAGENET_STD))


def _config(
    vision: PreTrainedConfig,
    text: PreTrainedConfig,
    seen: Sight,
    vocabulary: Vocabulary,
    decoders: _Decoders,
    options: BuildOptions,
) -> VisionLLMConfig:
    return VisionLLMConfig(
        vision_config=vision,
        text_config=text,
        vision_layer=options.vision_layer,
        vision_prefix_tokens=seen.prefix,
        projector={"kind": options.projector},
        pixel_shuffle=options.pixel_shuffle,
        region_encoder={"patch_size": seen.patch} if options.regions else None,
        region_levels=seen.levels,
        tables=dict(TABLES),
        routes=ROUTES,
        token_ids={token: vocabulary.token_id(token) for token in TOKENS},
        sentence_end_ids=sorted(vocabulary.sentence_end_ids),
        never_sampled_ids=sorted(vocabulary.never_sampled_ids),
        decoders=decoders.configs,
    )


def _processor(
    parts: Parts, config: VisionLLMConfig, words: Words, vision: VisionImageConfig, tokens: int
) -> VisionLLMProcessor:
    mean, std = _decoder_normalisation(parts)
    return VisionLLMProcessor(
        ProcessorConfig(
            vision=vision,
            decoder=DecoderImageConfig(mean=mean, std=std) if config.decoders else None,
            pictures=made_pictures(config),
            template=words.template,
            prompts=PUBLISHED,
            tables=dict(TABLES),
            routes=ROUTES,
            tokens_per_split=tokens,
            context_length=config.text_config.max_position_embeddings,
            vocabulary_size=config.text_vocab_size,
            word_prefix=words.prefix,
        ),
        words.tokenizer,
    )
