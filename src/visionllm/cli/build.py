"""`visionllm build`: a model that can be trained, from public parts in folders of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.options import AsJson
from visionllm.cli.output import console, print_json, print_notices

if TYPE_CHECKING:
    from visionllm.weights.building import Count, PartSummary, Summary


class Kind(StrEnum):
    """Types of weights."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


Vision = Annotated[
    Path, typer.Option(help="Folder of a vision encoder, such as CLIP; of two towers only the vision tower counts.")
]
Language = Annotated[Path, typer.Option(help="Folder of a causal language model with its tokenizer.")]
Detection = Annotated[
    Path | None, typer.Option(help="Folder of a Grounding DINO (transformers): boxes and masks, [DET] [GRD] [SEG].")
]
Generation = Annotated[Path | None, typer.Option(help="Folder of a Stable Diffusion (diffusers): new pictures, [GEN].")]
Editing = Annotated[
    Path | None, typer.Option(help="Folder of an InstructPix2Pix (diffusers): changed pictures, [EDIT].")
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Check all parts, show what would be taken from where, and write nothing.")
]
Shuffle = Annotated[
    int, typer.Option(min=1, max=2, help="2 joins each 2×2 neighbouring features: a quarter of the tokens.")
]
ImageSize = Annotated[
    int | None, typer.Option(min=1, help="Side in pixels of what the vision encoder sees; its own by default.")
]
Regions = Annotated[bool, typer.Option(help="Whether the model can be pointed at places (a region encoder).")]


def build(
    target: Annotated[Path, typer.Argument(help="Folder of the new model; there must be none of that name.")],
    vision: Vision,
    language: Language,
    detection: Detection = None,
    generation: Generation = None,
    editing: Editing = None,
    plan: Plan = False,
    dtype: Annotated[Kind | None, typer.Option(help="Of all weights; what is taken keeps its own by default.")] = None,
    projector: Annotated[
        str, typer.Option(help="Between vision and language: linear, mlpNx_gelu (N layers) or internvl_mlp.")
    ] = "mlp2x_gelu",
    vision_layer: Annotated[int, typer.Option(help="Which hidden state of the vision encoder is read.")] = -2,
    pixel_shuffle: Shuffle = 1,
    image_size: ImageSize = None,
    tiles: Annotated[int, typer.Option(min=1, help="Most tiles that a picture is cut into.")] = 4,
    regions: Regions = True,
    seed: Annotated[int, typer.Option(help="Seed of what is new.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Assemble a model from public parts, ready to be trained. Nothing is downloaded.

    Each part is a folder as its own library saves it; only vision and language are needed.

    What connects the parts is new and has to be trained before the model is of any use.

    visionllm build my-model --vision clip-vit-large-patch14-336 --language vicuna-7b-v1.5 --plan

    visionllm build my-model --vision CLIP --language VICUNA --detection grounding-dino-tiny --dtype bfloat16

    See docs/build.md for all parts, what is taken from each, and how training begins.
    """
    import torch

    from visionllm.weights.building import BuildOptions, Parts, build_model

    parts = Parts(vision=vision, language=language, detection=detection, generation=generation, editing=editing)
    options = BuildOptions(
        projector=projector,
        vision_layer=vision_layer,
        pixel_shuffle=pixel_shuffle,
        image_size=image_size,
        max_tiles=tiles,
        regions=regions,
        dtype=None if dtype is None else getattr(torch, dtype),
        seed=seed,
    )
    with _watched() as progress:
        summary = build_model(parts, target, options, write=not plan, progress=progress)
    if as_json:
        print_json(summary.to_dict() | {"written": not plan})
        return
    _print(summary)
    print_notices(summary.notes)
    if plan:
        console(errors=True).print("nothing was written: leave --plan out to build the model", style="dim")
    else:
        print(target)


@contextmanager
def _watched() -> Iterator[Callable[[int, int], None]]:
    """Show how much is written."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(errors=True), transient=True) as bar:
        job = bar.add_task("checking the parts", total=None)
        yield lambda done, total: bar.update(job, description="writing", completed=done, total=total)


def _print(summary: "Summary") -> None:
    """Print a line a part, and below it what is new in it, and what was dropped and why."""
    from rich.table import Table

    table = Table("part", "", "tensors", "parameters", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    for part in summary.parts:
        for what, count in _lines(part):
            table.add_row(part.part, what, f"{count.tensors:,}", f"{count.parameters:,}")
    out = console()
    out.print(table)
    slots = ", ".join(f"{count} {name}" for name, count in summary.slots.items())
    out.print(f"{summary.parameters:,} parameters, {summary.size_bytes / 1e9:.2f} GB")
    out.print(f"{summary.vocabulary:,} rows of vocabulary, {len(summary.tokens)} new tokens; slots: {slots}")


def _lines(part: "PartSummary") -> "Iterator[tuple[str, Count]]":
    if part.taken.tensors:
        yield f"from {part.folder}", part.taken
    if part.grown.tensors:
        yield part.grown.what, part.grown
    for count in part.new:
        yield f"new: {count.what}", count
    for count in part.dropped:
        yield f"dropped: {count.what}", count
