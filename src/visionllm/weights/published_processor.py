"""How the published model sees a request: its pictures, its conversation, its questions and its words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionllm.config import VisionLLMConfig
from visionllm.processing import (
    DecoderImageConfig,
    MadePictureConfig,
    ProcessorConfig,
    VisionImageConfig,
    VisionLLMProcessor,
)
from visionllm.processing.chat import VICUNA_V1
from visionllm.processing.prompts import PUBLISHED
from visionllm.processing.tiles import CLIP_MEAN, CLIP_STD, Mode
from visionllm.weights.folder import read_json
from visionllm.weights.published import TOKENS
from visionllm.weights.published_words import words_from_published

PICTURES = "preprocessor_config.json"
Triple = tuple[float, float, float]


def processor_from_published(
    folder: Path, config: VisionLLMConfig, *, mode: Mode = "tiles", max_tiles: int = 4
) -> VisionLLMProcessor:
    """Build the processor of a published model.

    Args:
        folder: Holds its tokenizer, and `preprocessor_config.json` where its pictures are not normalised as CLIP's are.
        config: Of the model; see `config_from_published`.
        mode: How the vision encoder sees a picture; the released scripts say `tiles`.
        max_tiles: Most tiles; the released 7B scripts say 4.

    Raises:
        ValueError: If a file is missing or damaged, or the tokenizer's ids are not those of the configuration.
    """
    tokenizer, prefix = words_from_published(folder)
    added = tokenizer.get_added_vocab()
    for token in TOKENS:
        if added.get(token) != config.token_ids[token]:
            raise ValueError(
                f"expected {token} with the id {config.token_ids[token]} in the tokenizer of {folder}, "
                f"got {added.get(token, 'none')}"
            )
    vision = config.vision_config
    side = vision.image_size // vision.patch_size // config.pixel_shuffle
    mean, std = normalisation(folder, (CLIP_MEAN, CLIP_STD))
    return VisionLLMProcessor(
        ProcessorConfig(
            vision=VisionImageConfig(image_size=vision.image_size, mode=mode, max_tiles=max_tiles, mean=mean, std=std),
            decoder=DecoderImageConfig() if config.decoders else None,
            decoder_by_name={"pose": DecoderImageConfig.published_pose()} if "pose" in config.decoders else {},
            pictures=made_pictures(config),
            template=VICUNA_V1,
            prompts=PUBLISHED,
            tables=dict(config.tables),
            routes=tuple(config.routes),
            tokens_per_split=side * side,
            context_length=config.text_config.max_position_embeddings,
            vocabulary_size=config.text_vocab_size,
            word_prefix=prefix,
            published_regions=True,
        ),
        tokenizer,
    )


def made_pictures(config: VisionLLMConfig) -> dict[str, MadePictureConfig]:
    """Return what pictures the decoders of a model make, by the name of the decoder."""
    return {
        name: MadePictureConfig(
            size_hw=tuple(sizes["picture_hw"]), step=2 ** (len(sizes["vae"]["block_out_channels"]) - 1)
        )
        for name, sizes in config.decoders.items()
        if "picture_hw" in sizes
    }


def normalisation(folder: Path, otherwise: tuple[Triple, Triple]) -> tuple[Triple, Triple]:
    """Return mean and standard deviation that a folder's `preprocessor_config.json` tells of its pictures.

    Args:
        folder: Of a model.
        otherwise: What holds where there is no such file.

    Raises:
        ValueError: If the file lacks one of them.
    """
    if not (folder / PICTURES).is_file():
        return otherwise
    raw = read_json(folder / PICTURES)
    return _triple(raw, "image_mean", folder), _triple(raw, "image_std", folder)


def _triple(raw: Mapping[str, Any], key: str, folder: Path) -> Triple:
    values = raw.get(key)
    if not isinstance(values, list) or len(values) != 3 or not all(isinstance(v, int | float) for v in values):
        raise ValueError(f"expected three numbers for {key} in {folder / PICTURES}, got {values!r}")
    return (float(values[0]), float(values[1]), float(values[2]))
