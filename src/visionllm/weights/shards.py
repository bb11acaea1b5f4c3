"""Safetensors files written one tensor at a time, so that a model far larger than memory can be written.

The library writes a file from tensors that are all there at once; the format is a length, a JSON header and the bytes.
"""

import json
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

CODES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""What safetensors calls the types of tensors."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A tensor to be written.

    Attributes:
        shape: Its shape.
        dtype: Its type.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def into_shards(tensors: Mapping[str, Planned], shard_bytes: int) -> list[dict[str, Planned]]:
    """Divide tensors, in their order, among files of at most so many bytes; a larger tensor has one of its own."""
    shards: list[dict[str, Planned]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards


_CHUNK = 1 << 22  # numbers that are looked at together; a check of all of a tensor would need as much memory again
SINGLE = "model.safetensors"


def shard_names(count: int) -> list[str]:
    """Return how Hugging Face names the files of a model."""
    if count == 1:
        return [SINGLE]
    return [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]


def index_of(shards: Sequence[Mapping[str, Planned]]) -> str:
    """Return the JSON that tells in which file each tensor lies."""
    places = {n: file for file, shard in zip(shard_names(len(shards)), shards, strict=True) for n in shard}
    size = sum(tensor.nbytes for shard in shards for tensor in shard.values())
    return json.dumps({"metadata": {"total_size": size}, "weight_map": places}, indent=2) + "\n"


def write_shard(file: Path, tensors: Mapping[str, Planned], read: Callable[[str], Tensor]) -> None:
    """Write a file, which appears whole or not at all.

    Args:
        file: To be written.
        tensors: What it will hold.
        read: Returns the tensor of a name.

    Raises:
        ValueError: If a tensor is not what was planned, or is not finite.
        OSError: If the disk is full, say.
    """
    half = file.with_name(f".{file.name}.half")
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize))  # so that all are aligned
    try:
        with half.open("wb") as stream:
            stream.write(_header(ordered))
            for name, planned in ordered.items():
                tensor = read(name)
                if (tuple(tensor.shape), tensor.dtype) != (planned.shape, planned.dtype):
                    raise ValueError(f"expected {name} as planned, {planned}, got {tensor.dtype}{list(tensor.shape)}")
                if tensor.is_floating_point() and not all(_finite(part) for part in tensor.reshape(-1).split(_CHUNK)):
                    raise ValueError(f"expected finite weights, got NaN or infinity in {name}")
                stream.write(bytes_of(tensor).numpy().data)  # `tofile` would not say that the disk is full
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)


def bytes_of(tensor: Tensor) -> Tensor:
    """Return uint8[n], the bytes of a tensor as a file holds them."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def check_shard(file: Path, tensors: Mapping[str, Planned], read: Callable[[str], Tensor]) -> None:
    """Compare a written file, byte by byte, with what it should hold; a tensor at a time, in little memory.

    Args:
        file: The file.
        tensors: What it should hold.
        read: Returns the tensor of a name.

    Raises:
        ValueError: Naming the tensor that is missing, or of another type or shape, or holds other numbers.
    """
    with file.open("rb") as stream:
        size = struct.unpack("<Q", stream.read(8))[0]
        header = json.loads(stream.read(size))
        for name, planned in tensors.items():
            told = header.get(name, {})
            if (told.get("dtype"), told.get("shape")) != (CODES[planned.dtype], list(planned.shape)):
                raise ValueError(f"expected {name} in {file} as planned, {planned}, got {told}")
            stream.seek(8 + size + told["data_offsets"][0])
            for part in bytes_of(read(name)).split(_CHUNK):
                if stream.read(len(part)) != part.numpy().tobytes():
                    raise ValueError(f"expected {name} in {file} as it was written, got other numbers")
        if extra := sorted(header.keys() - tensors.keys() - {"__metadata__"}):
            raise ValueError(f"expected only what was planned in {file}, got {extra[0]}")


def _finite(part: Tensor) -> bool:
    return bool(torch.isfinite(part).all())


def _header(tensors: Mapping[str, Planned]) -> bytes:
    described: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, tensor in tensors.items():
        span = [place, place + tensor.nbytes]
        described[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        place = span[1]
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
