"""From the published checkpoint to a folder of ours and back, tensor by tensor: a model far larger than memory passes.

A conversion that is cut off goes on where it stopped; the target has its name only once all of it is there and was
compared with what it was made of.
"""

import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.filesize import decimal
from torch import Tensor

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.folder import CONFIG, INDEX, Saveable, publish, read_json, sha256_of, write_manifest
from visionllm.weights.plan import Plan, plan_from_published, plan_to_published
from visionllm.weights.provenance import Shapes
from visionllm.weights.shards import Planned, check_shard, index_of, into_shards, shard_names, write_shard

LEDGER = "conversion.json"
KEPT = "published"
"""Folder in a converted one for the published files that ours are made from."""
Progress = Callable[[int, int], None]
"""Called with the bytes done so far, and those of all; with a check, each is counted when written and when checked."""
Finish = Callable[[Checkpoint, Path], None]
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a conversion did.

    Attributes:
        plan: What became of each tensor.
        tensors: How many were written.
        nbytes: Size of what was written.
        files: Names of the files with weights.
        checked: Whether they were read again and compared.
    """

    plan: Plan
    tensors: int
    nbytes: int
    files: tuple[str, ...]
    checked: bool


def convert_from_published(
    source: Path,
    target: Path,
    config: VisionLLMConfig,
    processor: Saveable | None = None,
    *,
    kept: Mapping[str, Path] | None = None,
    shard_bytes: int = 5_000_000_000,
    verify: bool = True,
    progress: Progress | None = None,
) -> Converted:
    """Write a folder of ours from a folder of published weights.

    Args:
        source: Holds the published weights; see `Checkpoint`.
        target: The folder to be made.
        config: Of our model; see `config_from_published`.
        processor: Its processor, or None.
        kept: Published files, by name, that are kept for the way back.
        shard_bytes: Largest size of one file of weights.
        verify: Read everything again, and compare it with the source.
        progress: Is told how far it is.

    Raises:
        ValueError: If a tensor is missing, unknown, of another shape or not finite, copies of a shared tensor differ,
            or a file is damaged.
        FileExistsError: If the target is there.
        OSError: If the disk is full.
    """

    def finish(checkpoint: Checkpoint, folder: Path) -> None:
        settings = config.to_dict() | {"architectures": [VisionLLMForConditionalGeneration.__name__]}
        settings["dtype"] = str(commonest(checkpoint)).removeprefix("torch.")
        (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if processor is not None:
            processor.save_pretrained(str(folder))
        if kept:
            (folder / KEPT).mkdir()
            for name, file in kept.items():
                shutil.copyfile(file, folder / KEPT / name)

    def plan(shapes: Shapes) -> Plan:
        return plan_from_published(shapes, config)

    cut = {"shard_bytes": shard_bytes, "verify": verify, "progress": progress}
    return _convert(source, target, plan, finish, manifest=True, **cut)


def convert_to_published(
    source: Path,
    target: Path,
    config: VisionLLMConfig,
    *,
    settings: Mapping[str, object] | None = None,
    kept: Mapping[str, Path] | None = None,
    shard_bytes: int = 5_000_000_000,
    verify: bool = True,
    progress: Progress | None = None,
) -> Converted:
    """Write the weights of a folder of ours under all their published names.

    Args:
        source: The folder of ours.
        target: The folder to be made.
        config: Of our model.
        settings: Content of the published `config.json`, if it is wanted; see `config_to_published`.
        kept: Published files, by name, that are copied beside it.
        shard_bytes: Largest size of one file of weights.
        verify: Read everything again, and compare it with the source.
        progress: Is told how far it is.

    Raises:
        ValueError: If a tensor is missing, unknown, of another shape or not finite, or a file is damaged.
        FileExistsError: If the target is there.
        OSError: If the disk is full.
    """

    def finish(checkpoint: Checkpoint, folder: Path) -> None:
        for name, file in (kept or {}).items():
            shutil.copyfile(file, folder / name)
        if settings is not None:
            told = {**settings, "torch_dtype": str(commonest(checkpoint)).removeprefix("torch.")}
            (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")

    def plan(shapes: Shapes) -> Plan:
        return plan_to_published(shapes, config)

    cut = {"shard_bytes": shard_bytes, "verify": verify, "progress": progress}
    return _convert(source, target, plan, finish, manifest=False, **cut)


def _convert(
    source: Path,
    target: Path,
    plan_of: Callable[[Shapes], Plan],
    finish: Finish,
    *,
    manifest: bool,
    **cut: Any,
) -> Converted:
    """Write the weights of a plan and whatever else a folder needs, and give it its name."""
    with Checkpoint(source) as checkpoint, _building(target) as folder:
        plan = plan_of(checkpoint.shapes)
        check_copies(plan, checkpoint)
        done = write_planned(plan, checkpoint, folder, **cut)
        for left in folder.iterdir():  # by a run that was cut off here
            if left.name not in (LEDGER, INDEX, *done.files):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        finish(checkpoint, folder)
        finished = read_json(folder / LEDGER)["finished"]
        (folder / LEDGER).unlink()
        if manifest:
            write_manifest(folder, finished)
        publish(folder, target)
    return done


def check_copies(plan: Plan, checkpoint: Checkpoint) -> None:
    """Compare the copies of shared tensors.

    Raises:
        ValueError: Naming the first that differ.
    """
    for copy, first in plan.tied.items():
        if not torch.equal(checkpoint.read(copy), checkpoint.read(first)):
            raise ValueError(f"expected {copy} to equal {first}, which the published model shares, got other numbers")


def write_planned(
    plan: Plan,
    checkpoint: Checkpoint,
    folder: Path,
    *,
    shard_bytes: int = 5_000_000_000,
    verify: bool = True,
    progress: Progress | None = None,
) -> Converted:
    """Write what a plan makes of a checkpoint; files that an earlier run finished are kept.

    Args:
        plan: What is made of what.
        checkpoint: Is read in its order, one file after another.
        folder: Gets the files, and a list of those that are finished; what else is in it is removed.
        shard_bytes: Largest size of one file.
        verify: Compare the checksum of each file, and every byte of each tensor, when all are written.
        progress: Is told how far it is.

    Raises:
        ValueError: If a tensor is not finite, or a file is not what was written.
        OSError: If the disk has not enough room.
    """
    planned = _planned(plan, checkpoint)

    def read(name: str) -> Tensor:
        return plan.made[name] if name in plan.made else plan.taken[name].of(checkpoint.read)

    shards = dict(zip(shard_names(len(cut := into_shards(planned, shard_bytes))), cut, strict=True))
    sizes = {file: sum(tensor.nbytes for tensor in shard.values()) for file, shard in shards.items()}
    ledger = _Ledger(folder / LEDGER, _digest(checkpoint, planned, shard_bytes))
    steps = _Steps(sum(sizes.values()) * (2 if verify else 1), progress)
    ready = [file for file in shards if ledger.holds(folder / file)]
    _check_room(folder, sum(size for file, size in sizes.items() if file not in ready))
    for file, shard in shards.items():
        if file not in ready:
            write_shard(folder / file, shard, read)
            ledger.add(folder / file)
        steps.add(sizes[file])
    for file, shard in shards.items() if verify else ():
        if not ledger.holds(folder / file):
            raise ValueError(f"expected {folder / file} as it was written, got a damaged file")
        check_shard(folder / file, shard, read)
        steps.add(sizes[file])
    if len(shards) > 1:
        (folder / INDEX).write_text(index_of(list(shards.values())), encoding="utf-8")
    return Converted(plan=plan, tensors=len(planned), nbytes=sum(sizes.values()), files=tuple(shards), checked=verify)


def in_file_order(plan: Plan, checkpoint: Checkpoint) -> list[str]:
    """Return the names of what is taken as it lies in the checkpoint, so that one file is read after another."""
    places = {name: place for place, name in enumerate(checkpoint.tensors)}
    return sorted(plan.taken, key=lambda name: places[plan.taken[name].names[0]])


def _planned(plan: Plan, checkpoint: Checkpoint) -> dict[str, Planned]:
    """Return what will be written, in the order in which it lies in the checkpoint."""
    shapes = checkpoint.shapes
    planned: dict[str, Planned] = {}
    for name in in_file_order(plan, checkpoint):
        origin = plan.taken[name]
        planned[name] = Planned(shape=origin.shape(shapes), dtype=checkpoint.tensors[origin.names[0]].dtype)
    return planned | {n: Planned(shape=tuple(tensor.shape), dtype=tensor.dtype) for n, tensor in plan.made.items()}


class _Steps:
    """Tells how far a conversion is."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total, self.progress, self.done = total, progress, 0

    def add(self, nbytes: int) -> None:
        """Count bytes."""
        self.done += nbytes
        if self.progress is not None:
            self.progress(self.done, self.total)


def _check_room(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        OSError: With what is needed and what is there.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"expected room for {decimal(needed)} of weights, got {decimal(free)}")


class _Ledger:
    """The finished files of a conversion, with their checksums.

    Args:
        file: Where they are listed. If that list belongs to something else, or is not there, its folder is emptied.
        digest: Of what is converted.
    """

    def __init__(self, file: Path, digest: str) -> None:
        self.file, self.digest = file, digest
        self.finished: dict[str, str] = {}
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            known = None
        if isinstance(known, dict) and known.get("digest") == digest:
            self.finished = dict(known["finished"])
            return
        for other in file.parent.iterdir():
            shutil.rmtree(other) if other.is_dir() else other.unlink()
        self._write()

    def holds(self, file: Path) -> bool:
        """Tell whether a file is finished and still what it was."""
        return file.is_file() and self.finished.get(file.name) == sha256_of(file)

    def add(self, file: Path) -> None:
        """Remember that a file is finished."""
        self.finished[file.name] = sha256_of(file)
        self._write()

    def _write(self) -> None:
        half = self.file.with_suffix(".half")
        half.write_text(json.dumps({"digest": self.digest, "finished": self.finished}), encoding="utf-8")
        half.replace(self.file)


def _digest(checkpoint: Checkpoint, planned: Mapping[str, Planned], shard_bytes: int) -> str:
    """Tell one conversion from another: by files with their sizes and times, and by what is made of them."""
    files = dict.fromkeys(stored.file for stored in checkpoint.tensors.values())
    seen = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    made = [(name, tensor.shape, str(tensor.dtype)) for name, tensor in planned.items()]
    return hashlib.sha256(json.dumps([seen, made, shard_bytes]).encode()).hexdigest()


def commonest(checkpoint: Checkpoint) -> torch.dtype:
    """Return the floating type that most tensors have."""
    kinds = [stored.dtype for stored in checkpoint.tensors.values() if stored.dtype.is_floating_point]
    return max(set(kinds), key=kinds.count)


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """Give the folder in which a conversion grows; it stays where it is when the conversion is cut off.

    Raises:
        FileExistsError: If the target is there.
        OSError: If the disk is full.
    """
    if target.exists():
        raise FileExistsError(f"expected no {target} yet; remove it, or choose another name")
    folder = target.with_name(f".{target.name}.converting")
    folder.mkdir(parents=True, exist_ok=True)
    for half in folder.glob("*.half"):
        half.unlink()
    try:
        yield folder
    except (ValueError, FileExistsError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(
            f"the disk of {folder} is full ({error.strerror}); make room and run the same again: "
            "it goes on where it stopped"
        ) from error
