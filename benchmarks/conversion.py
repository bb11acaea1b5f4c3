"""Published checkpoints, and the memory that they take at its peak.

One of 3 GB with all names of the release is converted; a smaller one, without the decoders that make pictures, is
loaded as it lies there.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from made_words import write_words
from measuring import ColdRun, Measurement, cold_run
from visionllm import VisionLLM
from visionllm.config import VisionLLMConfig
from visionllm.config.diffusion import published_unet
from visionllm.recipes.published.models import published_settings
from visionllm.weights.convert import convert_from_published
from visionllm.weights.plan import our_shapes, plan_to_published
from visionllm.weights.published import TOKENS, config_from_published
from visionllm.weights.published_schema import EQUAL

NAME = "conversion"
FILES = 24
BESIDE = 0.6
"""Gigabytes that a bound allows beside what is in memory for a reason: mostly Python with its libraries."""
LOADED, WORDS = (512, 1376), 512
"""Widths of the language model that is loaded, and its words."""


def smaller_settings(width: int, inner: int) -> dict[str, Any]:
    """Return the published configuration of the release with all of its layers, narrower ones."""
    raw = published_settings("7b")
    raw["llm_config"] |= {"hidden_size": width, "intermediate_size": inner}
    for path, other in EQUAL:
        part, _, key = path.partition(".")
        if other == "llm_config.hidden_size" and key in raw[part]:
            raw[part][key] = width
    raw["vis_encoder_config"] |= {"hidden_size": 256, "intermediate_size": 1024}
    return raw


def smaller_release() -> VisionLLMConfig:
    """Return the configuration of what is converted."""
    bases = {
        name: {"unet": published_unet(channels) | {"block_out_channels": [64, 128, 256, 256]}}
        for name, channels in (("generation", 4), ("editing", 8))
    }
    return config_from_published(smaller_settings(1536, 4128), bases=bases)


def write_loadable(folder: Path) -> tuple[int, int]:
    """Write a checkpoint that can be loaded; return how many numbers it has, and its largest tensor."""
    raw = smaller_settings(*LOADED)
    raw |= {"use_sd": False, "use_ip2p": False}
    raw["llm_config"] |= {"vocab_size": WORDS + len(TOKENS)}
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    write_words(folder, WORDS)
    config = config_from_published(raw)
    largest = write_checkpoint(folder, config) // 2
    return sum(torch.Size(shape).numel() for shape in our_shapes(config).values()), largest


def write_checkpoint(folder: Path, config: VisionLLMConfig) -> int:
    """Write random bfloat16 weights under all published names as PyTorch files; return the bytes of the largest."""
    ours = our_shapes(config)
    plan = plan_to_published(ours, config)
    shapes = {name: origin.shape(ours) for name, origin in plan.taken.items()}
    sizes = {name: 2 * torch.Size(shape).numel() for name, shape in shapes.items()}
    total, written, places = sum(sizes.values()), 0, {}
    first_of: dict[Any, torch.Tensor] = {}
    parts: list[dict[str, torch.Tensor]] = [{} for _ in range(FILES)]
    for name, shape in shapes.items():
        number = min(FILES * written // total, FILES - 1)
        places[name] = f"pytorch_model-{number + 1:05d}-of-{FILES:05d}.bin"
        shared = first_of.get(plan.taken[name])
        fresh = torch.randn(shape, dtype=torch.bfloat16) if shared is None else shared
        first_of.setdefault(plan.taken[name], fresh)
        parts[number][name] = fresh
        written += sizes[name]
    for number, part in enumerate(parts):
        torch.save(part, folder / f"pytorch_model-{number + 1:05d}-of-{FILES:05d}.bin")
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}), encoding="utf-8")
    return max(sizes.values())


def measure() -> list[Measurement]:
    """Write the checkpoints here; convert and load them in processes of their own."""
    return [*_converted(), *_loaded(torch.float32), *_loaded(torch.bfloat16)]


def _converted() -> list[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        largest = write_checkpoint(source, smaller_release())
        size = sum(file.stat().st_size for file in source.iterdir())
        run = _run("convert", source, str(Path(folder) / "target"))
    bound = BESIDE + 2 * largest / 1e9
    return [
        Measurement(name="checkpoint that is converted", value=size / 1e9, unit="GB", at_least=3),
        Measurement(name="conversion, peak memory", value=run.peak_mb / 1000, unit="GB", at_most=round(bound, 3)),
        Measurement(name="conversion", value=size / 1e9 / run.seconds, unit="GB/s", at_least=0.02),
    ]


def _loaded(kind: torch.dtype) -> list[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        count, largest = write_loadable(Path(folder))
        run = _run("load", Path(folder), str(kind).removeprefix("torch."))
    model, bound = count * kind.itemsize / 1e9, BESIDE + (count + 2 * largest) * kind.itemsize / 1e9
    name = f"load in {str(kind).removeprefix('torch.')}"
    return [
        Measurement(name=f"{name}, size of the model", value=model, unit="GB", at_least=0.4),
        Measurement(name=f"{name}, peak memory", value=run.peak_mb / 1000, unit="GB", at_most=round(bound, 3)),
    ]


def _run(what: str, source: Path, how: str) -> ColdRun:
    return cold_run([sys.executable, __file__, what, str(source), how], folder=source.parent)


if __name__ == "__main__":
    what, source, how = sys.argv[1:]
    if what == "convert":
        convert_from_published(Path(source), Path(how), smaller_release())
    else:
        VisionLLM.load(source, device="cpu", dtype=getattr(torch, how))
