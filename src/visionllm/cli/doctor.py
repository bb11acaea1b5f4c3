"""`visionllm doctor`: what this machine has, what a model needs, what fits, and on what terms its weights come."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm.cli.options import AsJson
from visionllm.cli.output import print_json

if TYPE_CHECKING:
    from rich.table import Table

    from visionllm.cli.machine import Machine
    from visionllm.config import VisionLLMConfig
    from visionllm.recipes.published.licences import Terms
    from visionllm.weights.sizes import Part


def doctor(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A folder, the embedded model `tiny`, or the published `7b`.")
    ] = "tiny",
    as_json: AsJson = False,
) -> None:
    """Show what this machine has, what a model needs, what fits here, and on what terms its weights come.

    visionllm doctor

    visionllm doctor 7b

    visionllm doctor my-model --json

    No weights are read: sizes are counted on a network that is built without memory.
    """
    from visionllm.cli.machine import this_machine
    from visionllm.weights.sizes import parts_of, skeleton

    config, folder, terms = _found(model)
    machine = this_machine(folder)
    parts = parts_of(skeleton(config))
    fits = what_fits(config, parts, {"CPU": machine.memory_free} | _gpus(machine))
    if as_json:
        print_json(
            {
                "machine": machine.to_dict(),
                "model": model,
                "parts": [_plain(part, terms) for part in parts],
                "cache": _cache(config),
                "fits": {
                    device: {kind: None if out is None else {"without": list(out)} for kind, out in cells.items()}
                    for device, cells in fits.items()
                },
            }
        )
        return
    _show(model, config, machine, parts, terms, fits)


def what_fits(
    config: "VisionLLMConfig", parts: "Sequence[Part]", memory: Mapping[str, int]
) -> dict[str, dict[str, tuple[str, ...] | None]]:
    """Return by device and precision which decoders must be left out, or None where the model does not fit at all.

    A tenth of the memory is kept for computing, and the longest conversation must fit too.
    """
    from visionllm.weights.placing import SHARE
    from visionllm.weights.sizes import PRECISIONS, cache_size, left_out

    return {
        device: {kind: left_out(parts, kind, int(free * SHARE) - cache_size(config, kind)) for kind in PRECISIONS}
        for device, free in memory.items()
    }


def _found(model: str) -> "tuple[VisionLLMConfig, Path, Mapping[str, Terms | None]]":
    """Return the configuration of a model, where it is (or would be), and the terms of its parts."""
    from visionllm.config import VisionLLMConfig
    from visionllm.predictor.vision_llm import EMBEDDED, find_model
    from visionllm.recipes.published import licences
    from visionllm.recipes.published.models import NAMES, published_config
    from visionllm.weights.folder import CONFIG, read_json
    from visionllm.weights.published import config_from_published, is_published

    if model in NAMES and not Path(model).is_dir():
        return published_config(model), Path(), licences.PUBLISHED
    folder = find_model(model)
    raw = read_json(folder / CONFIG)
    config = config_from_published(raw) if is_published(raw) else VisionLLMConfig.from_dict(raw)
    if folder.parent == EMBEDDED:
        return config, folder, _for_all(config, licences.EMBEDDED)
    # whoever reproduces the published faults has the published weights, or ones that were made of them
    derived = any(vars(config.quirks).values())
    return config, folder, licences.PUBLISHED if derived else {}


def _for_all(config: "VisionLLMConfig", terms: "Terms") -> "dict[str, Terms | None]":
    from visionllm.recipes.published.licences import PUBLISHED

    return dict.fromkeys([*PUBLISHED, *(f"decoders.{name}" for name in config.decoders)], terms)


def _gpus(machine: "Machine") -> dict[str, int]:
    return {f"GPU {number}": gpu.free for number, gpu in enumerate(machine.gpus)}


def _cache(config: "VisionLLMConfig") -> dict[str, Any]:
    from visionllm.weights.sizes import PRECISIONS, cache_size

    tokens = config.text_config.max_position_embeddings
    return {"tokens": tokens} | {kind: cache_size(config, kind) for kind in PRECISIONS}


def _plain(part: "Part", terms: "Mapping[str, Terms | None]") -> dict[str, Any]:
    from visionllm.weights.sizes import PRECISIONS

    own = terms.get(part.name)
    return {
        "name": part.name,
        "numbers": part.numbers,
        "bytes": {kind: part.size(kind) for kind in PRECISIONS},
        "terms": None if own is None else dict(vars(own)),
    }


def _show(
    model: str,
    config: "VisionLLMConfig",
    machine: "Machine",
    parts: "Sequence[Part]",
    terms: "Mapping[str, Terms | None]",
    fits: Mapping[str, Mapping[str, tuple[str, ...] | None]],
) -> None:
    from rich.console import Console

    console = Console()
    console.print(_machine_table(machine))
    if machine.torchvision is not None:
        console.print(
            f"torchvision {machine.torchvision} is installed. Where it does not belong to this very torch, every model "
            "of transformers fails: pip uninstall torchvision"
        )
    console.print(_needs_table(model, config, parts))
    console.print(_fits_table(fits))
    console.print(_terms_table(parts, terms))


def _machine_table(machine: "Machine") -> "Table":
    from rich.table import Table

    from visionllm.weights.sizes import in_words

    table = Table("this machine", "", show_header=True)
    table.add_row("Python, torch", f"{machine.python}, {machine.torch} (transformers {machine.transformers})")
    table.add_row("processor", f"{machine.system}, {machine.cores} cores")
    table.add_row("bfloat16", machine.bf16 or "no instructions for it: float32 is faster here")
    table.add_row("memory", f"{in_words(machine.memory_free)} free of {in_words(machine.memory_total)}")
    for number, gpu in enumerate(machine.gpus):
        words = f"{gpu.name}, {in_words(gpu.free)} free of {in_words(gpu.total)}"
        table.add_row(f"GPU {number}", words + ("" if gpu.bf16 else ", no bfloat16"))
    if not machine.gpus:
        table.add_row("GPU", "none")
    table.add_row("disk", f"{in_words(machine.disk_free)} free")
    for extra, packages in machine.extras.items():
        words = [f"{p.name} {p.installed or 'missing'}" + ("" if p.fits else f" ({p.wanted})") for p in packages]
        table.add_row(f"extra {extra}", ", ".join(words))
    return table


def _needs_table(model: str, config: "VisionLLMConfig", parts: "Sequence[Part]") -> "Table":
    from rich.table import Table

    from visionllm.weights.sizes import PRECISIONS, cache_size, in_words, total_size

    table = Table(f"{model} needs", "numbers", *PRECISIONS, caption="int8 and int4: the rest is in bfloat16")
    for part in parts:
        sizes = (in_words(part.size(kind)) for kind in PRECISIONS)
        table.add_row(part.name, f"{part.numbers / 1e6:,.1f} M", *sizes)
    tokens = config.text_config.max_position_embeddings
    table.add_row(f"a conversation of {tokens:,} tokens", "", *(in_words(cache_size(config, k)) for k in PRECISIONS))
    numbers = sum(part.numbers for part in parts)
    whole = (in_words(total_size(parts, k) + cache_size(config, k)) for k in PRECISIONS)
    table.add_row("together", f"{numbers / 1e6:,.1f} M", *whole, style="bold")
    return table


def _fits_table(fits: Mapping[str, Mapping[str, tuple[str, ...] | None]]) -> "Table":
    from rich.table import Table

    table = Table("fits on", *next(iter(fits.values())))
    for device, cells in fits.items():
        table.add_row(device, *(_fit(kind, out) for kind, out in cells.items()))
    return table


def _fit(kind: str, out: tuple[str, ...] | None) -> str:
    if out is None:
        return "no" if kind in ("int8", "int4") else "only in parts (--device auto)"
    return f"without {', '.join(name.removeprefix('decoders.') for name in out)}" if out else "all of it"


def _terms_table(parts: "Sequence[Part]", terms: "Mapping[str, Terms | None]") -> "Table":
    from rich.table import Table

    table = Table("terms", "weights of", "licence", caption="as far as known; read them before you pass weights on")
    for part in parts:
        own = terms.get(part.name)
        shown = ("not known here", "ask whoever made this model") if own is None else (own.origin, own.licence)
        table.add_row(part.name, *shown)
    return table
