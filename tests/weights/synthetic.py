"""A tiny checkpoint in the published layout: random weights under all published names, a real tokenizer."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.parity.golden import sets
from tests.weights.test_published import bases, small
from tests.weights.test_published_words import folder as words_folder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.diffusion_folder import read_diffusion_settings
from visionllm.weights.plan import window_index
from visionllm.weights.published import TOKENS, config_from_published, state_to_published

FIRST = 640
"""Id of the first added token."""
BIAS = "vl_bridge.0.bias"
"""Name of a small tensor of the projector, of 48 numbers."""
DETECTOR, POSE = "gdino_config", "unipose_config"
"""Names of the decoders' configurations."""


def raw_config(**changed: Any) -> dict[str, Any]:
    """Return a published configuration for the tokenizer beside the tests."""
    raw, _ = small()
    words = {"vocab_size": FIRST + len(TOKENS), "max_position_embeddings": 1024}
    note = {"_name_or_path": "work_dirs/tiny", "torch_dtype": "float32", "transformers_version": "4.34.0"}
    raw |= {"model_type": "visionllmv2", "architectures": ["VisionLLMv2Model"]} | note
    raw["llm_config"] |= words | {"_name_or_path": "", "use_cache": True, "_flash_attn_2_enabled": True}
    for part, token in (("sd_config", "[GEN]"), ("ip2p_config", "[EDIT]")):
        raw[part] |= {"trigger_token_id": FIRST + TOKENS.index(token)}
    return raw | changed


def weights_of(raw: dict[str, Any], named: dict[str, Any]) -> dict[str, Tensor]:
    """Return random weights under the published names."""
    config = config_from_published(raw, bases=named)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = VisionLLMForConditionalGeneration(config)
        state = {name: torch.randn_like(tensor) * 0.05 for name, tensor in model.state_dict().items()}
    published = state_to_published(state, config)
    tables = {n: tensor for n, tensor in published.items() if n.endswith("relative_position_bias_table")}
    return published | {n.replace("bias_table", "index"): window_index(len(table)) for n, table in tables.items()}


def write_weights(weights: dict[str, Tensor], folder: Path, files: int = 4) -> None:
    """Write PyTorch files with an index."""
    names = list(weights)
    places = {
        name: f"pytorch_model-{i * files // len(names) + 1:05d}-of-{files:05d}.bin" for i, name in enumerate(names)
    }
    for file in dict.fromkeys(places.values()):
        torch.save({name: weights[name].clone() for name in names if places[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))


def published_folder(place: Path, *, diffusion: bool = False) -> Path:
    """Write a published checkpoint with a tokenizer; with `diffusion`, with the decoders that make pictures."""
    words_folder(place, legacy=True)
    raw, named = raw_config(use_sd=diffusion, use_ip2p=diffusion), bases()
    if diffusion:
        for decoder, part in (("generation", "sd"), ("editing", "ip2p")):
            beside = sets(part)[0].path / f"tiny_{part}"
            shutil.copytree(beside, place / beside.name)
            named[decoder] = read_diffusion_settings(beside)
    (place / "config.json").write_text(json.dumps(raw))
    write_weights(weights_of(raw, named), place)
    return place
