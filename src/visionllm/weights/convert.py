"""From the published checkpoint to a folder of ours and back, tensor by tensor: a model far larger than memory passes.

A conversion that is cut off goes on where it stopped; the target has its name only once all of it is there.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.folder import CONFIG, INDEX, Saveable, publish, sha256_of, write_manifest
from visionllm.weights.plan import Plan, plan_from_published, plan_to_published
from visionllm.weights.provenance import Shapes
from visionllm.weights.shards import Planned, index_of, into_shards, shard_names, write_shard

LEDGER = "conversion.json"
Progress = Callable[[int, int], None]
"""Called with the bytes written so far, and those of all."""


def convert_from_published(
    source: Path,
    target: Path,
    config: VisionLLMConfig,
    processor: Saveable | None = None,
    *,
    shard_bytes: int = 5_000_000_000,
    progress: Progress | None = None,
) -> None:
    """Write a folder of ours from a folder of published weights.

    Args:
        source: Holds the published weights; see `Checkpoint`.
        target: The folder to be made.
        config: Of our model; see `config_from_published`.
        processor: Its processor, or None.
        shard_bytes: Largest size of one file of weights.
        progress: Is told how far it is.

    Raises:
        ValueError: If a tensor is missing, unknown, of another shape or not finite, copies of a shared tensor differ,
            or a file is damaged.
        FileExistsError: If the target is there.
    """

    def finish(checkpoint: Checkpoint, folder: Path) -> None:
        settings = config.to_dict() | {"architectures": [VisionLLMForConditionalGeneration.__name__]}
        settings["dtype"] = str(_commonest(checkpoint)).removeprefix("torch.")
        (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if processor is not None:
            processor.save_pretrained(str(folder))
        write_manifest(folder)

    def plan(shapes: Shapes) -> Plan:
        return plan_from_published(shapes, config)

    _convert(source, target, plan, finish, shard_bytes=shard_bytes, progress=progress)


def convert_to_published(
    source: Path,
    target: Path,
    config: VisionLLMConfig,
    *,
    shard_bytes: int = 5_000_000_000,
    progress: Progress | None = None,
) -> None:
    """Write the weights of a folder of ours under all their published names.

    Raises:
        ValueError: If a tensor is missing, unknown, of another shape or not finite, or a file is damaged.
        FileExistsError: If the target is there.
    """

    def plan(shapes: Shapes) -> Plan:
        return plan_to_published(shapes, config)

    _convert(source, target, plan, None, shard_bytes=shard_bytes, progress=progress)


def _convert(
    source: Path,
    target: Path,
    plan_of: Callable[[Shapes], Plan],
    finish: Callable[[Checkpoint, Path], None] | None,
    *,
    shard_bytes: int,
    progress: Progress | None,
) -> None:
    """Write the weights of a plan and whatever else a folder needs, and give it its name."""
    with Checkpoint(source) as checkpoint, _building(target) as folder:
        plan = plan_of(checkpoint.shapes)
        for copy, first in plan.tied.items():
            if not torch.equal(checkpoint.read(copy), checkpoint.read(first)):
                raise ValueError(
                    f"expected {copy} to equal {first}, which the published model shares, got other numbers"
                )
        write_planned(plan, checkpoint, folder, shard_bytes=shard_bytes, progress=progress)
        (folder / LEDGER).unlink()
        if finish is not None:
            finish(checkpoint, folder)
        publish(folder, target)


def write_planned(
    plan: Plan,
    checkpoint: Checkpoint,
    folder: Path,
    *,
    shard_bytes: int = 5_000_000_000,
    progress: Progress | None = None,
) -> None:
    """Write what a plan makes of a checkpoint; files that an earlier run finished are kept.

    Args:
        plan: What is made of what.
        checkpoint: Is read in its order, one file after another.
        folder: Gets the files, and a list of those that are finished; what else is in it is removed.
        shard_bytes: Largest size of one file.
        progress: Is told how far it is.

    Raises:
        ValueError: If a tensor is not finite.
    """
    places = {name: place for place, name in enumerate(checkpoint.tensors)}
    order = sorted(plan.taken, key=lambda name: places[plan.taken[name].names[0]])
    shapes = checkpoint.shapes
    planned = {
        name: Planned(shape=plan.taken[name].shape(shapes), dtype=checkpoint.tensors[plan.taken[name].names[0]].dtype)
        for name in order
    } | {name: Planned(shape=tuple(tensor.shape), dtype=tensor.dtype) for name, tensor in plan.made.items()}

    def read(name: str) -> Tensor:
        return plan.made[name] if name in plan.made else plan.taken[name].of(checkpoint.read)

    shards = into_shards(planned, shard_bytes)
    ledger = _Ledger(folder / LEDGER, _digest(checkpoint, planned, shard_bytes))
    total, written = sum(tensor.nbytes for tensor in planned.values()), 0
    for file, shard in zip(shard_names(len(shards)), shards, strict=True):
        if not ledger.holds(folder / file):
            write_shard(folder / file, shard, read)
            ledger.add(folder / file)
        written += sum(tensor.nbytes for tensor in shard.values())
        if progress is not None:
            progress(written, total)
    if len(shards) > 1:
        (folder / INDEX).write_text(index_of(shards), encoding="utf-8")


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
            other.unlink()

    def holds(self, file: Path) -> bool:
        """Tell whether a file is finished and still what it was."""
        return file.is_file() and self.finished.get(file.name) == sha256_of(file)

    def add(self, file: Path) -> None:
        """Remember that a file is finished."""
        self.finished[file.name] = sha256_of(file)
        half = self.file.with_suffix(".half")
        half.write_text(json.dumps({"digest": self.digest, "finished": self.finished}), encoding="utf-8")
        half.replace(self.file)


def _digest(checkpoint: Checkpoint, planned: Mapping[str, Planned], shard_bytes: int) -> str:
    """Tell one conversion from another: by files with their sizes and times, and by what is made of them."""
    files = dict.fromkeys(stored.file for stored in checkpoint.tensors.values())
    seen = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    made = [(name, tensor.shape, str(tensor.dtype)) for name, tensor in planned.items()]
    return hashlib.sha256(json.dumps([seen, made, shard_bytes]).encode()).hexdigest()


def _commonest(checkpoint: Checkpoint) -> torch.dtype:
    kinds = [stored.dtype for stored in checkpoint.tensors.values() if stored.dtype.is_floating_point]
    return max(set(kinds), key=kinds.count)


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """Give the folder in which a conversion grows; it stays where it is when the conversion is cut off.

    Raises:
        FileExistsError: If the target is there.
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
