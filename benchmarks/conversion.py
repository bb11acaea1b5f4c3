"""A checkpoint of 3 GB with all names of the release is converted: the memory at its peak, beside what is read."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from measuring import Measurement, cold_run
from visionllm.config import VisionLLMConfig
from visionllm.config.diffusion import published_unet
from visionllm.recipes.published.models import published_settings
from visionllm.weights.convert import convert_from_published
from visionllm.weights.plan import our_shapes, plan_to_published
from visionllm.weights.published import config_from_published
from visionllm.weights.published_schema import EQUAL

NAME = "conversion"
FILES = 24


def smaller_release() -> VisionLLMConfig:
    """Return the configuration of the release with all of its layers, narrower ones."""
    raw = published_settings("7b")
    raw["llm_config"] |= {"hidden_size": 1536, "intermediate_size": 4128}
    for path, other in EQUAL:
        part, _, key = path.partition(".")
        if other == "llm_config.hidden_size" and key in raw[part]:
            raw[part][key] = 1536
    raw["vis_encoder_config"] |= {"hidden_size": 256, "intermediate_size": 1024}
    bases = {
        name: {"unet": published_unet(channels) | {"block_out_channels": [64, 128, 256, 256]}}
        for name, channels in (("generation", 4), ("editing", 8))
    }
    return config_from_published(raw, bases=bases)


def write_checkpoint(folder: Path) -> int:
    """Write random bfloat16 weights under all published names as PyTorch files; return the bytes of the largest."""
    config = smaller_release()
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
    """Write the checkpoint here, and convert it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        largest = write_checkpoint(source)
        size = sum(file.stat().st_size for file in source.iterdir())
        run = cold_run([sys.executable, __file__, str(source), str(Path(folder) / "target")], folder=Path(folder))
    bound = 0.6 + 2 * largest / 1e9
    return [
        Measurement(name="checkpoint that is converted", value=size / 1e9, unit="GB", at_least=3),
        Measurement(name="conversion, peak memory", value=run.peak_mb / 1000, unit="GB", at_most=round(bound, 3)),
        Measurement(name="conversion", value=size / 1e9 / run.seconds, unit="GB/s", at_least=0.02),
    ]


if __name__ == "__main__":
    convert_from_published(Path(sys.argv[1]), Path(sys.argv[2]), smaller_release())
