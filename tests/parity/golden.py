"""Reads the golden numbers of the published code.

The folder is `golden/` beside this file, or the one that the environment variable VISIONLLM_GOLDEN names. A set is a
folder in it; sets of one kind share the kind as the beginning of their name. A JSON file may be packed (`….json.gz`);
whole numbers that stand beside or instead of a file of tensors are in such a file of lists, `tensors.json.gz`.
"""

import gzip
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from visionllm.ops.draws import Draws

FOLDER = Path(os.environ.get("VISIONLLM_GOLDEN", Path(__file__).parent / "golden"))
OUTPUT_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Golden:
    """One golden set."""

    path: Path

    def json(self, name: str = "config.json") -> Any:
        """Return a JSON file of the set."""
        packed = self.path / f"{name}.gz"
        if packed.is_file():
            return json.loads(gzip.decompress(packed.read_bytes()))
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    @property
    def config(self) -> dict[str, Any]:
        """The published configuration, without the notes about the set."""
        return {key: value for key, value in self.json().items() if key != "fixture"}

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return a file of tensors, floating-point ones as float32, and whole numbers that are packed beside it."""
        beside = Path(name).with_suffix(".json").name
        lists = self.json(beside) if (self.path / f"{beside}.gz").is_file() else {}
        loaded = load_file(self.path / name) if not lists or (self.path / name).is_file() else {}
        loaded |= {key: torch.tensor(values) for key, values in lists.items()}
        return {k: v.float() if v.is_floating_point() else v for k, v in loaded.items()}

    @property
    def weights(self) -> dict[str, Tensor]:
        """The complete published state dict, shared tensors under every name."""
        state = self.tensors("weights.safetensors")
        return state | {alias: state[name] for alias, name in self.json("weights_aliases.json").items()}

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The inputs."""
        return self.tensors("inputs.safetensors")

    @property
    def outputs(self) -> dict[str, Tensor]:
        """What the published code gave."""
        return self.tensors("outputs.safetensors")

    def __str__(self) -> str:
        return self.path.name


@dataclass(frozen=True)
class Case:
    """A golden set whose tensors are read once; tests add what they build of it."""

    golden: Golden

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """The inputs."""
        return self.golden.inputs

    @cached_property
    def expected(self) -> dict[str, Tensor]:
        """What the published code gave."""
        return self.golden.outputs


def sets(kind: str) -> list[Golden]:
    """Return all golden sets of a kind.

    Raises:
        ValueError: If there is none: a parity test must never pass for lack of numbers.
    """
    found = sorted(p for p in FOLDER.iterdir() if p.is_dir() and p.name.startswith(kind))
    if not found:
        raise ValueError(f"expected a golden set {kind}* in {FOLDER}, got none")
    return [Golden(p) for p in found]


def indexed(tensors: dict[str, Tensor], prefix: str) -> list[Tensor]:
    """Return the tensors `prefix0`, `prefix1`, … in order."""
    found: list[Tensor] = []
    while f"{prefix}{len(found)}" in tensors:
        found.append(tensors[f"{prefix}{len(found)}"])
    return found


def assert_close(actual: Tensor, expected: Tensor, name: str = "", *, tolerance: float = OUTPUT_TOLERANCE) -> None:
    """Check equality, relative to the largest absolute value; infinities and NaN must be at the same places."""
    actual, expected = actual.detach(), expected.detach()
    assert actual.shape == expected.shape, f"{name}: expected shape {tuple(expected.shape)}, got {tuple(actual.shape)}"
    if not expected.is_floating_point():
        assert torch.equal(actual.to(expected.dtype), expected), f"{name}: values differ"
        return
    finite = expected.isfinite()
    odd, expected_odd = actual[~finite], expected[~finite]
    assert torch.equal(actual.isfinite(), finite), f"{name}: infinities are at other places"
    assert torch.equal(odd.nan_to_num(0.5), expected_odd.nan_to_num(0.5)), f"{name}: infinities differ"
    if not finite.any():
        return
    scale = expected[finite].abs().max().clamp(min=1e-12)
    error = ((actual[finite] - expected[finite]).abs().max() / scale).item()
    assert error <= tolerance, f"{name}: relative error {error:.2e} exceeds {tolerance:.0e}"


class StoredDraws(Draws):
    """Replays the random numbers of the published run."""

    def __init__(self, stored: list[Tensor]) -> None:
        super().__init__()
        self.stored = iter(stored)

    def uniform(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        return self._next(shape)

    def integers(self, high: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
        return self._next(shape).long()

    def normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        return self._next(shape)

    def _next(self, shape: tuple[int, ...]) -> Tensor:
        value = next(self.stored)
        assert tuple(value.shape) == shape
        return value
