"""Diffusion models in the layout of diffusers: a folder with a U-Net, a VAE, a text encoder and a scheduler."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from visionllm.config.diffusion import SCHEDULERS
from visionllm.config.strict import pretrained_keys
from visionllm.weights.folder import check_finite, read_json

CONFIGS = {
    "unet": "unet/config.json",
    "vae": "vae/config.json",
    "text": "text_encoder/config.json",
    "schedule": "scheduler/scheduler_config.json",
}
WEIGHTS = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names of attention layers in VAEs that were saved years ago, and their names now."""
TEXT_MODEL, CLIP_TEXT = "clip_text_model", "CLIPTextModel"
COUNTED = "position_ids"
"""End of the names of text encoders' tensors that count from 0 and are dropped."""


def read_diffusion_settings(folder: str | Path) -> dict[str, Any]:
    """Read what the decoders' configurations need of a diffusion model: `unet`, `vae`, `text`, `schedule`, `scheduler`.

    Args:
        folder: In the layout of diffusers.

    Returns:
        Arguments of `DiffusionConfig` or `EditingConfig`; the scheduler is left out where it is not in our list. Ids of
        captions are those before the end of the vocabulary, as in every CLIP text encoder.

    Raises:
        ValueError: If a part is missing, or its text encoder is not CLIP's.
    """
    folder = _checked(folder, CONFIGS.values())
    found: dict[str, Any] = {part: _public(read_json(folder / file)) for part, file in CONFIGS.items()}
    text = read_json(folder / CONFIGS["text"])
    if text.get("architectures") != [CLIP_TEXT]:
        raise ValueError(f"expected a text encoder {CLIP_TEXT} in {folder}, got {text.get('architectures')}")
    known = pretrained_keys(TEXT_MODEL) - {"architectures", "dtype", "torch_dtype", "transformers_version"}
    found["text"] = {k: v for k, v in text.items() if k in known} | {"model_type": TEXT_MODEL}
    scheduler = read_json(folder / CONFIGS["schedule"]).get("_class_name")
    if scheduler in SCHEDULERS:
        found["scheduler"] = scheduler
    end = int(found["text"]["vocab_size"]) - 1
    ids = {"caption_start_id": end - 1, "caption_end_id": end, "caption_pad_id": end}
    return found | ids | {"tokens": int(found["text"]["max_position_embeddings"])}


def load_diffusion_weights(decoder: nn.Module, folder: str | Path) -> None:
    """Load U-Net, VAE and text encoder into a decoder that was built from the folder's settings.

    Args:
        decoder: With the parts `unet`, `vae` and `text_encoder`; the last may be None.
        folder: In the layout of diffusers.

    Raises:
        ValueError: If a part is missing or damaged, or does not fit the decoder.
    """
    parts = {name: part for name, part in decoder.named_children() if name in WEIGHTS}
    folder = _checked(folder, [WEIGHTS[name] for name in parts])
    for name, part in parts.items():
        file = folder / WEIGHTS[name]
        try:
            tensors = load_file(file)
        except SafetensorError as error:
            raise ValueError(f"expected {file} to be a safetensors file: {error}") from error
        tensors = _renamed(name, tensors)
        check_finite(tensors, str(file))
        _load(part, tensors, file)


def _checked(folder: str | Path, files: Any) -> Path:
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"expected the folder of a diffusion model, got {folder}")
    for file in files:
        if not (folder / file).is_file():
            raise ValueError(f"expected {file} in the diffusion folder {folder}, got none")
    return folder


def _public(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without notes about who wrote them, and without those that are off."""
    return {key: value for key, value in raw.items() if not key.startswith("_") and value is not None}


def _renamed(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept = {name: tensor for name, tensor in tensors.items() if part != "text_encoder" or not name.endswith(COUNTED)}
    return {our_name(part, name): tensor for name, tensor in kept.items()}


def our_name(part: str, name: str) -> str:
    """Return today's name of a tensor of a part.

    >>> our_name("vae", "decoder.mid_block.attentions.0.query.weight")
    'decoder.mid_block.attentions.0.to_q.weight'
    """
    if part == "text_encoder":
        return name.removeprefix("text_model.")
    if part == "vae" and ".attentions." in name:
        *path, layer, kind = name.split(".")
        return ".".join([*path, OLD_ATTENTION.get(layer, layer), kind])
    return name


def _load(part: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    wanted = part.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        if name not in tensors:
            raise ValueError(f"expected the weights of {file} to fit the decoder: {name} is missing")
        if name not in wanted:
            raise ValueError(f"expected the weights of {file} to fit the decoder: {name} is unknown")
        if tensors[name].shape != wanted[name].shape:
            raise ValueError(f"expected the weights of {file} to fit the decoder: {name} has another shape")
    part.load_state_dict(dict(tensors))
