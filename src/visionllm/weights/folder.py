"""One folder that holds a whole model: configuration, weights, processor, and a list of what must be there.

Weights are safetensors, never pickles. A folder appears whole or not at all, and a damaged one is refused with the name
of the file or tensor.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils import logging

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.loading import Loading
from visionllm.weights.shards import Planned, index_of, into_shards, shard_names, write_shard

CONFIG, MANIFEST, INDEX = "config.json", "manifest.json", "model.safetensors.index.json"
FORMAT = 1


class Saveable(Protocol):
    """A processor, as far as this module needs to know it."""

    def save_pretrained(self, folder: str) -> Any:
        """Write its files."""
        ...


def save_model(
    model: VisionLLMForConditionalGeneration,
    processor: Saveable | None,
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    shard_bytes: int = 5_000_000_000,
) -> None:
    """Write a model and its processor as one folder; an older folder of that name is replaced.

    Args:
        model: The model.
        processor: Its processor, or None.
        path: The folder.
        dtype: Floating tensors are stored in this type; None keeps theirs.
        shard_bytes: Largest size of one file of weights; a single larger tensor gets a file of its own.

    Raises:
        ValueError: If a weight is not finite, here or in `dtype`, or the model is quantised, offloaded or has adapters.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    building.mkdir()
    try:
        tensors = _stored(model, dtype)
        settings = model.config.to_dict() | {"architectures": [type(model).__name__]}
        settings["dtype"] = str(dtype or model.dtype).removeprefix("torch.")
        (building / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        _write_shards(tensors, building, shard_bytes)
        if processor is not None:
            processor.save_pretrained(str(building))
        write_manifest(building)
        publish(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def load_model(
    path: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    loading: Loading | None = None,
) -> VisionLLMForConditionalGeneration:
    """Read the model of a folder that `save_model` wrote, ready to answer.

    Networks of diffusers wait for their first use; only then it is seen whether their weights fit.

    Args:
        path: The folder.
        device: Where it computes.
        dtype: Its floating type; None means float32 on the CPU, and elsewhere the type it is stored in.
        loading: What of it is loaded, how small, and spread how; None means all of it, as it is, on the one device.

    Raises:
        ImportError: If a library is missing that `loading` needs.
        ValueError: If a file is missing or damaged, a tensor is missing, unknown, of the wrong shape or not finite, or
            a choice does not fit the model.
    """
    path, loading = Path(path), loading or Loading()
    check_files(path)
    settings = read_json(path / CONFIG)
    stored = getattr(torch, settings["dtype"])
    return assembled(
        path,
        VisionLLMConfig.from_dict(settings),
        _shapes(path),
        device=device,
        dtype=dtype,
        stored=stored,
        loading=loading,
    )


def assembled(
    path: Path,
    config: VisionLLMConfig,
    shapes: Mapping[str, torch.Size],
    read: Callable[[str], Tensor] | None = None,
    *,
    device: str | torch.device,
    dtype: torch.dtype | None,
    stored: torch.dtype,
    loading: Loading,
) -> VisionLLMForConditionalGeneration:
    """Build a model around weights; see `load_model`.

    Args:
        path: The folder that they come from.
        config: Of the model; decoders that are not chosen are taken out of it.
        shapes: Of the weights.
        read: Returns the weight of a name; it is called in the order of `shapes`. None means the safetensors files in
            the folder.
        device: Where it computes.
        dtype: Its floating type, or None.
        stored: The type that the weights are stored in.
        loading: What of it is loaded, how small, and spread how.

    Raises:
        ImportError: If a library is missing that `loading` needs.
        ValueError: If a tensor is missing, unknown, of the wrong shape or not finite, or a choice does not fit.
    """
    unread = tuple(f"decoders.{name}." for name in loading.chosen(config))
    shapes = {name: shape for name, shape in shapes.items() if not name.startswith(unread)}
    kind = dtype or (torch.float32 if torch.device(device).type == "cpu" else stored)
    options = loading.options(config, shapes, torch.device(device), kind)
    # Of another type, a tensor is a copy, and its file can be let go of; else the model is the file that is mapped.
    at_once = None if options else kind
    weights = None if read is None else {name: _of_type(read(name), at_once) for name in shapes}
    with silence():
        loaded: Any = VisionLLMForConditionalGeneration.from_pretrained(
            str(path) if weights is None else None,
            config=config,
            state_dict=weights,
            stored=shapes,
            dtype=kind,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **options,
        )
    model, report = loaded
    for problem in ("missing", "unexpected", "mismatched"):
        names = sorted(str(n[0] if isinstance(n, tuple) else n) for n in report[f"{problem}_keys"])
        names = [name for name in names if not name.startswith(unread)] if unread else names
        if names:
            wrong = {"missing": "is missing", "unexpected": "is unknown", "mismatched": "has another shape"}[problem]
            raise ValueError(
                f"expected the weights of {path} to fit its {CONFIG}: {names[0]} {wrong} ({len(names)} such)"
            )
    _check_loaded(model, path)
    return model.eval() if options else model.to(device).eval()


def _of_type(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor


def check_files(path: Path, needed: str = CONFIG) -> None:
    """Compare a folder with its manifest.

    Args:
        path: The folder.
        needed: A file that must be in the list.

    Raises:
        ValueError: If the folder or one of its files is missing or damaged.
    """
    if not path.is_dir():
        raise ValueError(f"expected a model folder, got {path}")
    files = read_json(path / MANIFEST).get("files")
    if not isinstance(files, Mapping) or needed not in files:
        raise ValueError(f"expected {path / MANIFEST} to list the files of a model, got {files}")
    for name, wanted in files.items():
        file = path / name
        if not _lies_inside(name) or not file.is_file():
            raise ValueError(f"expected file {name} in {path}, got none")
        if file.stat().st_size != wanted["bytes"] or sha256_of(file) != wanted["sha256"]:
            raise ValueError(f"expected {file} as it was saved, got a damaged file")
        if name.endswith(".safetensors"):
            try:
                with safe_open(file, "pt") as shard:
                    shard.keys()
            except SafetensorError as error:
                raise ValueError(f"expected {file} to be a safetensors file: {error}") from error


def _lies_inside(name: str) -> bool:
    """Tell whether a manifest's name is that of a file in its folder, or in a folder of it."""
    place = PurePosixPath(name)
    return not place.is_absolute() and ".." not in place.parts and str(place) == name


def _shapes(path: Path) -> dict[str, torch.Size]:
    """Return the shape of every weight in a folder, which reads no weights."""
    shapes: dict[str, torch.Size] = {}
    for file in sorted(path.glob("*.safetensors")):
        with safe_open(file, "pt") as shard:
            shapes |= {name: torch.Size(shard.get_slice(name).get_shape()) for name in shard.keys()}  # noqa: SIM118
    return shapes


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        ValueError: Naming the first such tensor.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"expected finite weights in {where}, got NaN or infinity in {name}")


def _check_loaded(model: VisionLLMForConditionalGeneration, path: Path) -> None:
    """Refuse NaN and infinity; what is offloaded is read from its file, tensor by tensor."""
    tensors = model.state_dict()
    check_finite({name: tensor for name, tensor in tensors.items() if not tensor.is_meta}, str(path))
    offloaded = {name for name, tensor in tensors.items() if tensor.is_meta}
    for file in sorted(path.glob("*.safetensors")) if offloaded else ():
        with safe_open(file, "pt") as shard:
            for name in offloaded & set(shard.keys()):
                check_finite({name: shard.get_tensor(name)}, str(path))


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: If the file is missing or holds something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"expected file {file.name} in {file.parent}, got none") from error
    except ValueError as error:
        raise ValueError(f"expected {file} to be JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object in {file}, got {type(content).__name__}")
    return content


def _stored(model: VisionLLMForConditionalGeneration, dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Return the tensors to write; of those that share memory only the first."""
    if getattr(model, "hf_quantizer", None) is not None:
        raise ValueError("expected a model whose weights have a type of their own to save, got one in int8 or int4")
    if inside := next((name for name, _ in model.named_parameters() if ".base_layer." in name), None):
        raise ValueError(f"expected a model without adapters to save, got {inside}: merge them, or save them alone")
    if away := next((name for name, tensor in model.state_dict().items() if tensor.is_meta), None):
        raise ValueError(f"expected a model that is all in memory to save, got {away} offloaded")
    stored: dict[str, Tensor] = {}
    seen: set[tuple[int, torch.Size]] = set()
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape)
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        kind = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        stored[name] = tensor.detach().to("cpu", kind).contiguous()
    check_finite(stored, "the model to save")
    return stored


def _write_shards(tensors: Mapping[str, Tensor], folder: Path, shard_bytes: int) -> None:
    shards = into_shards({n: Planned(shape=tuple(t.shape), dtype=t.dtype) for n, t in tensors.items()}, shard_bytes)
    for file, shard in zip(shard_names(len(shards)), shards, strict=True):
        write_shard(folder / file, shard, tensors.__getitem__)
    if len(shards) > 1:
        (folder / INDEX).write_text(index_of(shards), encoding="utf-8")


def write_manifest(folder: Path, known: Mapping[str, str] | None = None) -> None:
    """List the files of a finished folder, and of folders in it, with their sizes and checksums.

    Args:
        folder: The folder.
        known: Checksums by name, of files that need not be read again.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": (known or {}).get(name) or sha256_of(folder / name)}
        for name in names
    }
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT, "files": files}, indent=2) + "\n", encoding="utf-8")


def sha256_of(file: Path) -> str:
    """Return the checksum of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish(building: Path, path: Path) -> None:
    """Give a finished folder its name, once all of it is on the disk."""
    for place in (*building.rglob("*"), building):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    if path.exists():
        retired = building.with_name(f"{building.name}.old")
        path.rename(retired)
        building.rename(path)
        shutil.rmtree(retired)
    else:
        building.rename(path)


@contextmanager
def silence() -> Iterator[None]:
    """Switch the loader's progress bars and reports off; what they would say is raised."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
