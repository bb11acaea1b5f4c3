"""`visionllm semantic`: a class for every pixel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm.cli.options import AsJson, Device, Model, Out, Protocol, answer_options, load
from visionllm.cli.output import check_out, console, print_json, print_notices, save_picture

if TYPE_CHECKING:
    from visionllm.types import SemanticMap

MOST = 256
"""Classes that one byte a pixel can tell apart."""
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map", metavar="FILE.png", help="Write the number of each pixel's class, from 0 in the order given."
    ),
]


def semantic(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.")],
    classes: Annotated[
        list[str] | None, typer.Argument(metavar="CLASS", help="Names, such as sky water sand.", show_default=False)
    ] = None,
    out: Out = None,
    map_file: MapFile = None,
    as_json: AsJson = False,
    protocol: Protocol = "known",
    model: Model = None,
    device: Device = None,
) -> None:
    """Give every pixel of a picture one of the known classes.

    visionllm semantic village.png house tree sky --out tinted.png

    visionllm semantic village.png house tree sky --map classes.png --json

    The file of --map has the size of the picture and one byte a pixel, with colours to look at: the number of its
    class, in the order of the command. JSON holds a mask a class, as COCO's run lengths.
    """
    from visionllm.predictor import check_names
    from visionllm.processing import open_picture

    check_out(out)
    _check_map(map_file)
    names = check_names(classes or [])
    options = answer_options(None, protocol=protocol)
    picture = open_picture(image)
    found = load(model, device).segment_semantic(picture, names, options=options)
    if map_file is not None:
        _save_map(found, map_file)
    if out is not None:
        save_picture(found.render(picture), out)
    if as_json:
        written = {"out": None if out is None else str(out), "map": None if map_file is None else str(map_file)}
        print_json({"image": str(image)} | _to_json(found) | written)
        return
    _show(found)
    print_notices(found.notices, out)


def _check_map(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".png":
        raise ValueError(f"expected --map with the suffix .png, which keeps every number, got {str(path)!r}")
    check_out(path, "--map")


def _save_map(found: "SemanticMap", path: Path) -> None:
    """Write the class of each pixel as the number of a colour.

    Raises:
        ValueError: If there are more classes than numbers.
    """
    import numpy as np
    from PIL import Image

    from visionllm.rendering.palette import PALETTE

    if len(found.class_names) > MOST:
        raise ValueError(f"expected at most {MOST} classes for --map, got {len(found.class_names)}; --json holds any")
    numbers = Image.fromarray(found.class_ids.astype(np.uint8))
    numbers.putpalette([tone for i in range(MOST) for tone in PALETTE[i % len(PALETTE)]])
    save_picture(numbers, path)


def _to_json(found: "SemanticMap") -> dict[str, Any]:
    """Return a map as plain data that states its space."""
    plain = found.to_dict()
    return {name: plain[name] for name in ("space", "size_hw", "class_names", "classes", "notices")}


def _show(found: "SemanticMap") -> None:
    """Print a line a class that is there: its number, its name, its share of the pixels."""
    from rich.table import Table

    table = Table("", "class", "pixels", box=None, pad_edge=False, header_style="dim")
    table.columns[2].justify = "right"
    for name in found.present:
        table.add_row(str(found.class_names.index(name)), name, f"{found.mask(name).mean():.1%}")
    console().print(table)
