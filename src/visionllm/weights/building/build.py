"""From public parts in folders of their own to one folder with a model that can be trained.

    folders ─design─▶ Blueprint (configuration, processor, names) ─lay_out─▶ pieces ─write, one at a time─▶ folder

Everything that can be wrong with names, shapes and settings is found before the first weight is read.
"""

import json
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.building.design import Blueprint, BuildOptions, Parts, design
from visionllm.weights.building.fresh import ORIGINS, fresh_tensors
from visionllm.weights.building.pieces import LINK, PARTS, Piece, all_sources, lay_out, own_shapes
from visionllm.weights.building.sources import Sources
from visionllm.weights.building.summary import Count, PartSummary, Summary
from visionllm.weights.folder import CONFIG, INDEX, publish, write_manifest
from visionllm.weights.shards import Planned, index_of, into_shards, shard_names, write_shard

Progress = Callable[[int, int], None]
"""Called with the bytes written so far, and those of all."""


def build_model(
    parts: Parts,
    target: Path,
    options: BuildOptions | None = None,
    *,
    write: bool = True,
    shard_bytes: int = 5_000_000_000,
    progress: Progress | None = None,
) -> Summary:
    """Assemble a model from public parts.

    Args:
        parts: Their folders.
        target: The folder to be made; it appears whole or not at all.
        options: What is chosen about it.
        write: False only checks the parts, and tells what the model would be made of.
        shard_bytes: Largest size of one file of weights.
        progress: Is told how far it is.

    Returns:
        What the model is made of.

    Raises:
        ValueError: If a part is missing, damaged, of another kind or does not fit the others; naming part and tensor or
            key.
        FileExistsError: If the target is there.

    Source: VisionLLM v2, arXiv:2406.08394, section 3 and appendix: which parts it starts from.
    """
    options = options or BuildOptions()
    if target.exists():
        raise FileExistsError(f"expected no {target} yet; remove it, or choose another name")
    blueprint = design(parts, options)
    shapes = own_shapes(blueprint.config)
    sources = all_sources(blueprint, shapes)
    new = fresh_tensors(blueprint.config, deviation=blueprint.deviation, seed=options.seed)
    pieces = lay_out(blueprint, sources, shapes, new, options.dtype)
    try:
        if write:
            _write(blueprint, pieces, target, shard_bytes, progress)
    finally:
        for found in sources.values():
            found.checkpoint.close()
    return _summary(blueprint, sources, pieces, target)


def _write(
    blueprint: Blueprint, pieces: Mapping[str, Piece], target: Path, shard_bytes: int, progress: Progress | None
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    folder.mkdir()
    try:
        _write_weights(pieces, folder, shard_bytes, progress)
        settings = blueprint.config.to_dict() | {"architectures": [VisionLLMForConditionalGeneration.__name__]}
        settings["dtype"] = str(_commonest(pieces)).removeprefix("torch.")
        (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        blueprint.processor.save_pretrained(folder)
        write_manifest(folder)
        publish(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_weights(pieces: Mapping[str, Piece], folder: Path, shard_bytes: int, progress: Progress | None) -> None:
    """Write the weights part by part: no file holds tensors of two parts, so each part is read from front to back."""
    shards: list[dict[str, Planned]] = []
    for part in dict.fromkeys(piece.part for piece in pieces.values()):
        shards += into_shards({n: piece.planned for n, piece in pieces.items() if piece.part == part}, shard_bytes)
    total, written = sum(piece.planned.nbytes for piece in pieces.values()), 0
    for file, shard in zip(shard_names(len(shards)), shards, strict=True):
        write_shard(folder / file, shard, lambda name: pieces[name].read())
        written += sum(planned.nbytes for planned in shard.values())
        if progress is not None:
            progress(written, total)
    if len(shards) > 1:
        (folder / INDEX).write_text(index_of(shards), encoding="utf-8")


def _commonest(pieces: Mapping[str, Piece]) -> torch.dtype:
    """Return the type of most of the language model."""
    kinds = Counter(piece.planned.dtype for piece in pieces.values() if piece.part == "language")
    return kinds.most_common(1)[0][0]


def _summary(
    blueprint: Blueprint, sources: Mapping[str, Sources], pieces: Mapping[str, Piece], target: Path
) -> Summary:
    words = blueprint.words
    present = {piece.part for piece in pieces.values()}
    return Summary(
        folder=target,
        parts=[_part(part, blueprint, sources, pieces) for part in (*PARTS.values(), LINK) if part in present],
        tokens={token: blueprint.config.token_ids[token] for token in words.added},
        vocabulary=blueprint.config.text_vocab_size,
        slots=dict(blueprint.config.tables),
        size_bytes=sum(piece.planned.nbytes for piece in pieces.values()),
        notes=blueprint.notes,
    )


def _part(part: str, blueprint: Blueprint, sources: Mapping[str, Sources], pieces: Mapping[str, Piece]) -> PartSummary:
    own = {name: piece for name, piece in pieces.items() if piece.part == part}
    made: dict[str, list[int]] = {}
    for name, piece in own.items():
        if piece.kind == "new":
            what = next(what for start, what in ORIGINS.items() if name.startswith(start))
            made.setdefault(what, []).append(piece.size)
    dropped: dict[str, list[int]] = {}
    starts = tuple(start for start, name in PARTS.items() if name == part)
    for start, found in sources.items():
        if start.startswith(starts):
            reasons = dict(found.dropped) | dict.fromkeys(found.copies, "a copy of a tensor that is taken")
            for name, why in reasons.items():
                shape = found.checkpoint.tensors[name].shape
                dropped.setdefault(why, []).append(torch.Size(shape).numel())
    return PartSummary(
        part=part,
        folder=getattr(blueprint.parts, part, None),
        taken=Count.of("as it was", (p.size for p in own.values() if p.kind == "taken")),
        grown=Count.of("with rows for new tokens", (p.size for p in own.values() if p.kind == "grown")),
        new=[Count.of(what, sizes) for what, sizes in made.items()],
        dropped=[Count.of(why, sizes) for why, sizes in dropped.items()],
    )
