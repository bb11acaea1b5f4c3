"""Tensors of a folder of weights that others wrote, one file or many, read one at a time.

Both layouts of Hugging Face folders are read: safetensors, and the older PyTorch files, of which tensors are taken and
nothing is run. There is no other way in: a file that holds more than tensors is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 – only to name the error
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from visionllm.weights.folder import read_json
from visionllm.weights.shards import CODES

LAYOUTS = ("model.safetensors", "pytorch_model.bin")
DIFFUSERS_LAYOUTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_KINDS = {code: kind for kind, code in CODES.items()}
_MAPPED = 1 << 28
"""Bytes that are read of a file before it is mapped anew: they take memory as long as the map is there."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is known of a tensor before it is read.

    Attributes:
        file: In which it lies.
        shape: Its shape.
        dtype: Its type.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: torch.dtype


class Checkpoint:
    """The tensors of a folder.

    One file is open at a time; it is mapped, so that only tensors that are read take memory.

    Args:
        folder: Holds one of the files of `layouts`, or an index of its shards.
        layouts: The first that is there is read.

    Raises:
        ValueError: If there are no weights, a shard is missing or damaged, holds more than tensors, or does not hold
            what the index says.
    """

    def __init__(self, folder: Path, layouts: Sequence[str] = LAYOUTS) -> None:
        self.folder = folder
        self.tensors: dict[str, Stored] = {}
        self._open: tuple[Path, Any] | None = None
        self._read = 0
        promised = _promised(folder, layouts)
        for file in dict.fromkeys(promised.values()) if isinstance(promised, Mapping) else [promised]:
            found = _stored(file)
            if isinstance(promised, Mapping):
                _compare(found, {name for name, place in promised.items() if place == file}, file)
            self.tensors |= found

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor."""
        return {name: stored.shape for name, stored in self.tensors.items()}

    def read(self, name: str) -> Tensor:
        """Return a tensor.

        Raises:
            KeyError: If there is none of that name.
        """
        file = self.tensors[name].file
        if self._open is None or self._open[0] != file:
            self.close()
            self._open = (file, _tensors_of(file, device=None))
        content = self._open[1]
        tensor = content[name] if isinstance(content, Mapping) else content.get_tensor(name)
        self._read += tensor.nbytes
        if self._read > _MAPPED:
            self.close()
        return tensor

    def close(self) -> None:
        """Let go of the open file."""
        if self._open is not None and hasattr(self._open[1], "__exit__"):
            self._open[1].__exit__(None, None, None)
        self._open, self._read = None, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _promised(folder: Path, layouts: Sequence[str]) -> dict[str, Path] | Path:
    """Return the file of each tensor as the index tells it, or the only file."""
    if not folder.is_dir():
        raise ValueError(f"expected a folder of weights, got {folder}")
    for name in layouts:
        index = folder / f"{name}.index.json"
        if index.is_file():
            places = read_json(index).get("weight_map")
            if not isinstance(places, Mapping) or not places:
                raise ValueError(f"expected {index} to tell the files of tensors in weight_map")
            for file in places.values():
                if not isinstance(file, str) or Path(file).name != file:
                    raise ValueError(f"expected names of files beside {index}, got {json.dumps(file)}")
                if not (folder / file).is_file():
                    raise ValueError(f"expected file {file} in {folder}, which {index.name} names, got none")
            return {tensor: folder / file for tensor, file in places.items()}
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"expected {' or '.join(layouts)} in {folder}, or the index of one, got none")


def _compare(found: Mapping[str, Stored], promised: set[str], file: Path) -> None:
    if missing := sorted(promised - found.keys()):
        raise ValueError(f"expected {missing[0]} in {file}, as the index tells, got none ({len(missing)} such)")
    if extra := sorted(found.keys() - promised):
        raise ValueError(f"expected in {file} only what the index tells, got {extra[0]} ({len(extra)} such)")


def _stored(file: Path) -> dict[str, Stored]:
    content = _tensors_of(file, device="meta")
    if isinstance(content, Mapping):
        return {n: Stored(file=file, shape=tuple(t.shape), dtype=t.dtype) for n, t in content.items()}
    with content:
        found = {}
        for name in content.keys():  # noqa: SIM118 – it is no mapping
            piece = content.get_slice(name)
            kind = _KINDS.get(piece.get_dtype())
            if kind is None:
                raise ValueError(f"expected a type among {', '.join(_KINDS)} for {name} in {file}: {piece.get_dtype()}")
            found[name] = Stored(file=file, shape=tuple(piece.get_shape()), dtype=kind)
        return found


def _tensors_of(file: Path, *, device: str | None) -> Any:
    """Open a file: a mapping of tensors, or an open safetensors file."""
    if file.suffix == ".safetensors":
        try:
            return safe_open(file, "pt")
        except SafetensorError as error:
            raise ValueError(f"expected {file} to be a safetensors file: {error}") from error
    try:
        content = torch.load(file, map_location=device, weights_only=True, mmap=True)  # noqa: TID251 – tensors only
    except UnpicklingError as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"expected tensors only in {file}; what else is in it is not run: {first}") from error
    except (RuntimeError, EOFError, OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"expected {file} to be a PyTorch file of tensors (torch ≥ 1.6): {error}") from error
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise ValueError(f"expected names and tensors in {file}, got something else")
    return content
