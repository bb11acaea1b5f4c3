"""The folder of a published checkpoint as a whole: its configuration, its words, its pictures, and a model of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import VisionLLMProcessor
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.convert import check_copies, commonest, in_file_order
from visionllm.weights.diffusion_folder import read_diffusion_settings
from visionllm.weights.folder import CONFIG, assembled, read_json
from visionllm.weights.loading import Loading
from visionllm.weights.plan import plan_from_published
from visionllm.weights.provenance import Shapes
from visionllm.weights.published import config_from_published
from visionllm.weights.published_pose import backbone_from_shapes
from visionllm.weights.published_processor import PICTURES, processor_from_published
from visionllm.weights.published_schema import at, check_pictures, check_published, check_tokenizer
from visionllm.weights.published_words import MODEL, SETTINGS

FILES = (
    *(CONFIG, MODEL, SETTINGS, PICTURES),
    *("special_tokens_map.json", "added_tokens.json", "tokenizer.json", "generation_config.json"),
)
"""Published files that are kept for the way back, where they are there."""
DIFFUSION = {"generation": ("sd", "stable-diffusion-v1-5"), "editing": ("ip2p", "instruct-pix2pix")}
"""The published part of each diffusion decoder, and the diffusion model of the 7B release."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published folder that was read; its weights were not.

    Attributes:
        folder: Where it is.
        config: Of our model.
        processor: Its processor, or None.
        files: By name, those that are kept for the way back.
        notices: What a user should know.
    """

    folder: Path
    config: VisionLLMConfig
    processor: VisionLLMProcessor | None
    files: Mapping[str, Path]
    notices: tuple[str, ...]


def is_published(folder: Path) -> bool:
    """Tell whether a folder is in the published layout.

    Raises:
        ValueError: If its `config.json` is no JSON object.
    """
    return (folder / CONFIG).is_file() and "vis_encoder_config" in read_json(folder / CONFIG)


def read_published(folder: Path, *, processor: bool = True, ignored: Collection[str] = ()) -> Published:
    """Read all of a published folder but the weights.

    Args:
        folder: Holds `config.json`, weights, and the tokenizer if a processor is wanted. A diffusion model that
            `config.json` names may lie in it, in the layout of diffusers; else that of the 7B release is meant.
        processor: Whether a processor is wanted.
        ignored: Keys of `config.json` that are passed over; see `check_published`.

    Raises:
        ValueError: If a file is missing or damaged, a key is unknown or does not fit, or the tokenizer's ids are not
            those of the configuration.
    """
    raw = read_json(folder / CONFIG)
    check_published(raw, ignored)
    with Checkpoint(folder) as checkpoint:
        shapes = checkpoint.shapes
    bases, notices = _bases(folder, raw, shapes)
    config = config_from_published(raw, bases=bases, ignored=ignored)
    made = None
    if processor:
        for name, check in ((SETTINGS, check_tokenizer), (PICTURES, check_pictures)):
            if (folder / name).is_file():
                check(read_json(folder / name), name)
        made = processor_from_published(folder, config)
        ends = sorted(made.vocabulary.sentence_end_ids)
        config = config_from_published(raw, bases=bases, ignored=ignored, sentence_end_ids=ends)
    files = {name: folder / name for name in FILES if (folder / name).is_file()}
    notices += [f"{path} is passed over, as you asked" for path in ignored]
    return Published(folder=folder, config=config, processor=made, files=files, notices=tuple(notices))


def _bases(folder: Path, raw: Mapping[str, Any], shapes: Shapes) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Find out what the configuration only names."""
    bases: dict[str, dict[str, Any]] = {}
    notices: list[str] = []
    if raw.get("use_unipose", False) and (sizes := backbone_from_shapes(shapes)):
        bases["pose"] = sizes
        notices.append("the sizes of the pose decoder's backbone come from its weights: they are not those of Swin-T")
    for decoder, (theirs, usual) in DIFFUSION.items():
        named = at(raw, f"{theirs}_config.sd_model_id")
        if not raw.get(f"use_{theirs}", False) or not isinstance(named, str):
            continue
        name = Path(named).name
        if name not in ("", "..") and (folder / name).is_dir():
            bases[decoder] = read_diffusion_settings(folder / name)
        elif name != usual:
            notices.append(f"{theirs}_config names {named!r}, which is not here: the settings of {usual} are taken")
    return bases, notices


def load_published(
    folder: Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    loading: Loading | None = None,
) -> tuple[VisionLLMForConditionalGeneration, VisionLLMProcessor]:
    """Read a model out of a published folder, ready to answer as its converted folder would.

    Nothing is written. One tensor after another is read in the order of the files, and takes no memory beside the
    model; but the disk is read anew, and names, shapes and copies are checked again, each time.

    Args:
        folder: The folder.
        device: Where it computes.
        dtype: Its floating type; None means float32 on the CPU, and elsewhere the type it is stored in.
        loading: What of it is loaded, how small, and spread how; None means all of it, as it is, on the one device.

    Raises:
        ImportError: If a library is missing that `loading` needs.
        ValueError: As `read_published`; or if a tensor is missing, unknown, of the wrong shape or not finite.
    """
    published = read_published(folder)
    if published.processor is None:
        raise ValueError(f"expected the tokenizer of a published model in {folder}, got none")
    with Checkpoint(folder) as checkpoint:
        plan = plan_from_published(checkpoint.shapes, published.config)
        check_copies(plan, checkpoint)
        there = checkpoint.shapes
        model = assembled(
            folder,
            published.config,
            {name: torch.Size(plan.taken[name].shape(there)) for name in in_file_order(plan, checkpoint)},
            lambda name: plan.taken[name].of(checkpoint.read),
            device=device,
            dtype=dtype,
            stored=commonest(checkpoint),
            loading=loading or Loading(),
        )
    return model, published.processor
