"""Low-rank adapters for the language model: added, saved alone in a small folder, loaded, and merged into the weights.

    add_adapters(model)                         # then train what `model.parameters()` still asks gradients for
    save_adapters(model, "my-adapters")
    VisionLLM.load("model", adapters="my-adapters")

Folders are in the layout of peft, so peft reads them too: `PeftModel.from_pretrained(model.language_model, folder)`.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.nn.optional import optional
from visionllm.weights.folder import check_files, check_finite, publish, read_json, write_manifest

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
KEYS = {"r": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "target_modules": "targets"}
"""Names in the file, and in `AdapterConfig`."""
ALWAYS = {"peft_type": "LORA", "bias": "none"}
VOCABULARY = "vocabulary"
_NAME, _START, _KEPT = "default", "base_model.model.", "_adapters"


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What adapters are like; the defaults are the published ones.

    Attributes:
        rank: Of each adapter.
        alpha: What an adapter adds is multiplied by alpha / rank.
        dropout: Of its input, in training.
        targets: Last names of the matrices that get one, in every layer of the language model.
        vocabulary: Learn the embeddings and the head as a whole beside the adapters, as the published code does; they
            are saved with the adapters, which then are not small.

    Raises:
        ValueError: If a value is out of its range.

    Source: LoRA, arXiv:2106.09685; sizes of VisionLLM v2, arXiv:2406.08394, table A13.
    Differs: The published code always learns the vocabulary, which takes 0.5 GB of the 7B model.
    """

    rank: int = 32
    alpha: float = 64
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj", "up_proj")
    vocabulary: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"expected a rank of at least 1, got {self.rank}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected a dropout in [0, 1), got {self.dropout}")
        if isinstance(self.targets, str) or not self.targets:
            raise ValueError(f"expected names of matrices as targets, got {self.targets!r}")


def adapters_of(model: VisionLLMForConditionalGeneration) -> AdapterConfig | None:
    """Return what the adapters of a model are like, or None if it has none."""
    return getattr(model.language_model, _KEPT, None)


def add_adapters(model: VisionLLMForConditionalGeneration, config: AdapterConfig | None = None) -> None:
    """Give the language model adapters, which change nothing yet, and freeze the rest of it.

    Args:
        model: Changed in place. Its other parts learn or don't, as before.
        config: Of the adapters; None means the published ones.

    Raises:
        ImportError: If peft is missing.
        ValueError: If it has adapters, or lacks one of the targets.
    """
    config = config or AdapterConfig()
    _refuse_adapted(model)
    _matrices(model, config)
    peft = optional("peft", "adapting a language model", "adapters")
    language: nn.Module = model.language_model
    language.requires_grad_(False)
    for kind in ("is_loaded_in_8bit", "is_loaded_in_4bit"):
        setattr(language, kind, getattr(model, kind, False))  # where peft looks
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
    )
    peft.inject_adapter_in_model(settings, language, adapter_name=_NAME)
    for _, parameter in _vocabulary(model) if config.vocabulary else ():
        parameter.requires_grad_(True)
    setattr(language, _KEPT, config)


def save_adapters(model: VisionLLMForConditionalGeneration, folder: str | Path) -> None:
    """Write the adapters of a model as a folder of safetensors and JSON; an older one of that name is replaced.

    Raises:
        ValueError: If it has none, or a number is not finite.
    """
    config, path = adapters_of(model), Path(folder)
    if config is None:
        raise ValueError("expected a model with adapters, got one without")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model, config).items()}
    check_finite(tensors, "the adapters to save")
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    building.mkdir()
    try:
        settings: dict[str, Any] = ALWAYS | {key: getattr(config, ours) for key, ours in KEYS.items()}
        settings["target_modules"] = list(config.targets)
        (building / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        save_file(tensors, building / TENSORS, metadata={"format": "pt"})
        write_manifest(building)
        publish(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def load_adapters(model: VisionLLMForConditionalGeneration, folder: str | Path, *, learn: bool = False) -> None:
    """Give a model the adapters of a folder that `save_adapters` wrote.

    Args:
        model: Changed in place, once the folder is known to fit.
        folder: Of the adapters.
        learn: Let them go on learning.

    Raises:
        ImportError: If peft is missing.
        ValueError: If a file is missing or damaged, a key or tensor is missing, unknown, of another shape or not
            finite, or the model has adapters.
    """
    path = Path(folder)
    _refuse_adapted(model)
    check_files(path, needed=CONFIG)
    try:
        stored = load_file(path / TENSORS)
    except (SafetensorError, FileNotFoundError) as error:
        raise ValueError(f"expected {path / TENSORS} to be a safetensors file: {error}") from error
    wide = [name for name, _ in _vocabulary(model)]
    config = _config(read_json(path / CONFIG), str(path / CONFIG), vocabulary=any(_START + n in stored for n in wide))
    wanted = _shapes(model, config)
    for name in sorted(wanted.keys() | stored.keys()):
        if name not in stored or name not in wanted:
            wrong = "is missing" if name not in stored else "is unknown"
            raise ValueError(f"expected the adapters of {path} to fit the model: {name} {wrong}")
        if tuple(stored[name].shape) != wanted[name]:
            raise ValueError(f"expected {name} of shape {list(wanted[name])}, got {list(stored[name].shape)}")
    check_finite(stored, str(path))
    add_adapters(model, config)
    with torch.no_grad():
        for name, tensor in _tensors(model, config).items():
            tensor.copy_(stored[name])
    if not learn:
        model.language_model.requires_grad_(False)
        model.language_model.train(model.training)


def merge_adapters(model: VisionLLMForConditionalGeneration) -> None:
    """Add what the adapters of a model do to its weights, and take them away; nothing changes but rounding.

    Raises:
        ValueError: If it has none, a weight would not be finite, or its weights are in int8 or int4.
    """
    if adapters_of(model) is None:
        raise ValueError("expected a model with adapters, got one without")
    if getattr(model, "hf_quantizer", None) is not None:
        raise ValueError("expected weights of their own type to merge adapters into, got int8 or int4")
    language: nn.Module = model.language_model
    layer = optional("peft.tuners.tuners_utils", "adapting a language model", "adapters").BaseTunerLayer
    for name, module in list(language.named_modules()):
        if isinstance(module, layer):
            adapted: Any = module
            adapted.merge(safe_merge=True)
            language.set_submodule(name, adapted.get_base_layer())
    for left in (_KEPT, "peft_config"):
        delattr(language, left)


def _refuse_adapted(model: VisionLLMForConditionalGeneration) -> None:
    if adapters_of(model) is not None:
        raise ValueError("expected a model without adapters, got one with: merge them first")


def _config(raw: Mapping[str, Any], where: str, *, vocabulary: bool) -> AdapterConfig:
    """Read the file of a folder; a key that is not known here is refused."""
    for key, value in raw.items():
        if key not in ALWAYS and key not in KEYS:
            raise ValueError(f"unknown key {key} in {where}; expected one of {', '.join([*ALWAYS, *KEYS])}")
        if key in ALWAYS and value != ALWAYS[key]:
            raise ValueError(f"expected {key} {ALWAYS[key]!r} in {where}, got {value!r}")
    if missing := [key for key in KEYS if key not in raw]:
        raise ValueError(f"expected {missing[0]} in {where}, got none")
    rank, targets = raw["r"], raw["target_modules"]
    numbers = [raw["lora_alpha"], raw["lora_dropout"]]
    plain = all(isinstance(n, int | float) and not isinstance(n, bool) for n in [rank, *numbers])
    named = isinstance(targets, Sequence) and all(isinstance(name, str) for name in targets)
    if not plain or not isinstance(rank, int) or not named or isinstance(targets, str):
        raise ValueError(f"expected whole r, numbers lora_alpha and lora_dropout and names target_modules in {where}")
    return AdapterConfig(rank=rank, alpha=numbers[0], dropout=numbers[1], targets=tuple(targets), vocabulary=vocabulary)


def _matrices(model: VisionLLMForConditionalGeneration, config: AdapterConfig) -> dict[str, nn.Linear]:
    """Return what gets an adapter, by name in the language model."""
    found: dict[str, nn.Linear] = {}
    for name, module in model.language_model.named_modules():
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in config.targets:
            found[name] = module
    for target in config.targets:
        if not any(name.rpartition(".")[2] == target for name in found):
            raise ValueError(f"expected targets among the matrices of the language model, got {target!r}")
    return found


def _vocabulary(model: VisionLLMForConditionalGeneration) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the embeddings and the head of the language model, once if they are one."""
    both = (model.get_input_embeddings(), model.get_output_embeddings())
    weights = {id(module.get_parameter("weight")) for module in both}
    yield from ((name, p) for name, p in model.language_model.named_parameters() if id(p) in weights)


def _shapes(model: VisionLLMForConditionalGeneration, config: AdapterConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor that a folder holds."""
    found: dict[str, tuple[int, ...]] = {}
    for name, matrix in _matrices(model, config).items():
        found[f"{_START}{name}.lora_A.weight"] = (config.rank, matrix.in_features)
        found[f"{_START}{name}.lora_B.weight"] = (matrix.out_features, config.rank)
    wide = _vocabulary(model) if config.vocabulary else ()
    return found | {_START + name: tuple(parameter.shape) for name, parameter in wide}


def _tensors(model: VisionLLMForConditionalGeneration, config: AdapterConfig) -> dict[str, Tensor]:
    """Return each tensor of a model's adapters, by its name in a folder."""
    wide = dict(_vocabulary(model)) if config.vocabulary else {}
    found: dict[str, Tensor] = {}
    for name, parameter in model.language_model.named_parameters():
        if f".{_NAME}." in name:
            found[_START + name.replace(f".{_NAME}.", ".")] = parameter
        elif name in wide:
            found[_START + name] = parameter
    return found
