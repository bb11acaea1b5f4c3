"""Training state on disk: safetensors and JSON, written whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

_MANIFEST = "manifest.json"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_checkpoint(folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
    """Write `tensors` (a file each) and `state` (JSON) into `folder`, which appears complete or not at all.

    An older checkpoint of the same name is replaced only after the new one is safe on disk.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name, values in tensors.items():
        save_file({k: v.detach().contiguous().cpu() for k, v in values.items()}, draft / f"{name}.safetensors")
    (draft / "state.json").write_text(json.dumps(state, indent=1, sort_keys=True), encoding="utf-8")
    sums = {p.name: _digest(p) for p in sorted(draft.iterdir())}
    (draft / _MANIFEST).write_text(json.dumps(sums, indent=1), encoding="utf-8")
    for path in draft.iterdir():
        _flush(path)
    _flush(draft)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    _flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def check_checkpoint(folder: Path) -> None:
    """Check every file of a checkpoint against its manifest.

    Raises:
        ValueError: If a file is missing or its contents changed; the message names it.
    """
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        raise ValueError(f"expected a checkpoint with a manifest in {folder}, got none")
    for name, digest in json.loads(manifest.read_text(encoding="utf-8")).items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"checkpoint {folder.name} lacks the file {name}")
        if _digest(path) != digest:
            raise ValueError(f"checkpoint {folder.name} is damaged: {name} differs from its checksum")


def read_checkpoint(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read what `write_checkpoint` wrote.

    Raises:
        ValueError: If the checkpoint is incomplete or damaged.
    """
    check_checkpoint(folder)
    tensors = {path.stem: load_file(path) for path in folder.glob("*.safetensors")}
    return tensors, json.loads((folder / "state.json").read_text(encoding="utf-8"))


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the last whole checkpoint in `folder`, passing over damaged ones, or None."""
    for path in sorted(folder.glob("step-*"), key=lambda p: int(p.name.removeprefix("step-")), reverse=True):
        try:
            check_checkpoint(path)
        except ValueError:
            continue
        return path
    return None


def distinct(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's state by name, a shared tensor under its first name only."""
    named: dict[int, str] = {}
    state = module.state_dict()
    return {n: t for n, t in state.items() if t.numel() == 0 or named.setdefault(t.data_ptr(), n) == n}


def fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load what `distinct` returned, in place.

    Raises:
        ValueError: If names or shapes differ from the module's.
    """
    own = distinct(module)
    different = sorted(own.keys() ^ state.keys()) or [n for n, t in own.items() if t.shape != state[n].shape]
    if different:
        raise ValueError(f"expected the tensors of a {type(module).__name__}, got others: {', '.join(different[:5])}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def optimizer_tensors(optimizer: Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """Flatten an optimizer's moments into named tensors: `<parameter>/<moment>`."""
    flat = {}
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            flat[f"{names[parameter]}/{key}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    return flat


def load_optimizer_tensors(optimizer: Optimizer, names: Mapping[Tensor, str], flat: Mapping[str, Tensor]) -> None:
    """Give the moments of `optimizer_tensors` back."""
    by_name = {name: parameter for parameter, name in names.items()}
    for key, value in flat.items():
        name, moment = key.rsplit("/", 1)
        optimizer.state[by_name[name]][moment] = value.clone()
