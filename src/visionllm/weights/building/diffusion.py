"""Stable Diffusion and InstructPix2Pix in the layout of diffusers, as the decoders that make and edit pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.editing import EditingConfig
from visionllm.config.strict import build, check_names
from visionllm.weights.building.settings import part_settings, without_notes
from visionllm.weights.building.sources import Reasons, Sources, renamed_sources
from visionllm.weights.checkpoint import DIFFUSERS_LAYOUTS, LAYOUTS, Checkpoint
from visionllm.weights.diffusion_folder import CONFIGS, COUNTED, our_name, read_diffusion_settings
from visionllm.weights.folder import read_json

FOLDERS = {"unet": "unet", "vae": "vae", "text_encoder": "text_encoder"}
DROPPED: Reasons = ((f"*{COUNTED}", "counts from 0"),)
KINDS: Mapping[str, type[DiffusionConfig]] = {"generation": DiffusionConfig, "editing": EditingConfig}


def diffusion_settings(decoder: str, folder: Path, **more: Any) -> DiffusionConfig:
    """Read the configuration of a diffusion model; the mapper has the published sizes.

    Args:
        decoder: `generation` or `editing`.
        folder: In the layout of diffusers.
        more: Further fields of the decoder's configuration.

    Returns:
        Our configuration. New pictures are as large as those that the U-Net learned; edited ones half as large, as in
        the published model.

    Raises:
        ValueError: If a file is missing, a key at any depth is unknown, private or chooses code, or parts do not fit.
    """
    for part, file in CONFIGS.items():
        if part != "text" and (folder / file).is_file():
            check_names(without_notes(read_json(folder / file)), str(folder / file))
    settings = read_diffusion_settings(folder)
    part_settings(folder, CONFIGS["text"])
    config = build(KINDS[decoder], settings | more, f"config.decoders.{decoder}")
    latents = config.unet.get("sample_size")
    if not isinstance(latents, int):
        raise ValueError(f"expected one number for sample_size in {folder / CONFIGS['unet']}, got {latents!r}")
    side = latents * config.factor // (2 if decoder == "editing" else 1)
    sizes = {"ffn": 4 * config.width, "picture_hw": (side, side)}
    return build(KINDS[decoder], settings | more | sizes, f"config.decoders.{decoder}")


def diffusion_sources(folder: Path) -> dict[str, Sources]:
    """Match the tensors of a diffusion model's networks, by the names of our parts.

    Raises:
        ValueError: If weights are missing or damaged.
    """
    found = {}
    for part, place in FOLDERS.items():
        layouts = LAYOUTS if part == "text_encoder" else DIFFUSERS_LAYOUTS
        checkpoint = Checkpoint(folder / place, layouts)
        found[part] = renamed_sources(checkpoint, lambda name, part=part: our_name(part, name), DROPPED)
    return found
