"""Options that several commands share, and what they become."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from visionllm.cli.loading import chosen

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.predictor import VisionLLM
    from visionllm.types import Options, Region

Overlap = Annotated[
    float | None,
    typer.Option("--nms-iou", min=0, max=1, help="Of boxes of a class that overlap more, keep the best one."),
]
Threshold = Annotated[
    float | None, typer.Option(min=0, max=1, help="Lowest score of what is shown; the model's own by default.")
]
ProtocolName = Literal["known", "published", "free"]
"""What `visionllm.types.requests.Protocol` says, which takes long to import."""
Protocol = Annotated[
    ProtocolName,
    typer.Option(
        help="known: one pass reads an answer with every name; published: the same as released scores were measured, "
        "with no threshold; free: the model writes its own answer."
    ),
]
Model = Annotated[str | None, typer.Option(help="Folder of a model; the embedded one, `tiny`, by default.")]
Device = Annotated[
    str | None,
    typer.Option(help="Such as cpu or cuda; auto spreads over all; a GPU is taken by default if there is one."),
]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.")]
Out = Annotated[Path | None, typer.Option(help="Write the annotated picture to this file (.png, .jpg or .webp).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
BoxOption = Annotated[
    list[str] | None, typer.Option("--box", metavar="X0,Y0,X1,Y1", help="Point at a box; x1 and y1 are exclusive.")
]
PointOption = Annotated[list[str] | None, typer.Option("--point", metavar="X,Y", help="Point at one pixel.")]
ScribbleOption = Annotated[
    list[str] | None, typer.Option("--scribble", metavar='"X,Y X,Y …"', help="Point with a line through these pixels.")
]
PolygonOption = Annotated[
    list[str] | None, typer.Option("--polygon", metavar='"X,Y X,Y X,Y …"', help="Point at what an outline holds.")
]
MaskOption = Annotated[
    list[Path] | None, typer.Option("--mask", metavar="FILE", help="Point at the white pixels of a picture file.")
]


def parse_regions(
    boxes: Sequence[str] | None,
    points: Sequence[str] | None,
    scribbles: Sequence[str] | None,
    polygons: Sequence[str] | None,
    masks: Sequence[Path] | None,
) -> list["Region"]:
    """Turn the region options into regions, in this order.

    Raises:
        ValueError: If one is not written as its option asks, or a mask is no picture.
    """
    from visionllm.types import Box, Point, Polygon, Scribble

    regions: list[Region] = []
    for text in boxes or ():
        regions.append(Box(*_numbers(text, 4, "--box x0,y0,x1,y1")))
    for text in points or ():
        regions.append(Point(*_numbers(text, 2, "--point x,y")))
    for text in scribbles or ():
        regions.append(Scribble(_path(text, '--scribble "x,y x,y …"')))
    for text in polygons or ():
        regions.append(Polygon(_path(text, '--polygon "x,y x,y x,y …"')))
    return [*regions, *(_mask(file) for file in masks or ())]


def _path(text: str, form: str) -> tuple[tuple[float, float], ...]:
    points = []
    for pair in text.split():
        x, y = _numbers(pair, 2, form, text)
        points.append((x, y))
    return tuple(points)


def _numbers(text: str, count: int, form: str, whole: str | None = None) -> list[float]:
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"expected {form} in pixels, got {(whole or text)!r}")
    return numbers


def _mask(file: Path) -> "Region":
    import numpy as np

    from visionllm.processing import open_picture
    from visionllm.types import Mask

    return Mask(np.asarray(open_picture(file).convert("L")) >= 128)


def check_regions(regions: Sequence["Region"], image: "Image.Image") -> None:
    """Refuse regions that are not on the picture, before a model is loaded.

    Raises:
        ValueError: Naming the region.
    """
    from visionllm.processing.regions import region_mask

    for index, region in enumerate(regions):
        region_mask(region, (image.height, image.width), index=index)


def answer_options(
    threshold: float | None,
    seed: int = 0,
    max_new_tokens: int | None = None,
    *,
    protocol: ProtocolName = "known",
    nms_iou: float | None = None,
) -> "Options":
    """Return the options of a request."""
    from visionllm.types import Options

    options = Options(threshold=threshold, seed=seed, protocol=protocol, nms_iou=nms_iou)
    return options if max_new_tokens is None else replace(options, max_new_tokens=max_new_tokens)


def load(model: str | None, device: str | None) -> "VisionLLM":
    """Load a model as the options of the command say; see `visionllm.cli.loading`."""
    from visionllm.predictor import VisionLLM

    return VisionLLM.load(model, **chosen(device))
