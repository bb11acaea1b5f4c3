"""`visionllm detect`, `segment` and `refer`: known classes, phrases and regions; nothing is written by the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.options import (
    AsJson,
    BoxOption,
    Device,
    MaskOption,
    Model,
    Out,
    Overlap,
    PointOption,
    PolygonOption,
    Protocol,
    ScribbleOption,
    Threshold,
    answer_options,
    check_regions,
    load,
    parse_regions,
)
from visionllm.cli.output import check_out, print_instances, print_json, print_notices, save_picture, to_json

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.types import Detections, Options

ImageFile = Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.")]
Classes = Annotated[list[str] | None, typer.Argument(metavar="CLASS", help='Names, such as fish or "red star".')]


def detect(
    image: ImageFile,
    classes: Classes = None,
    out: Out = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    nms_iou: Overlap = None,
    protocol: Protocol = "known",
    model: Model = None,
    device: Device = None,
) -> None:
    """Find boxes of known classes, all in one pass.

    visionllm detect harbour.png fish boat

    visionllm detect stars.png "red star" "yellow star" --threshold 0.5 --json
    """
    options = answer_options(threshold, protocol=protocol, nms_iou=nms_iou)
    _classes(image, classes or [], out, as_json, options, model, device, masks=False)


def segment(
    image: ImageFile,
    classes: Classes = None,
    box: BoxOption = None,
    point: PointOption = None,
    scribble: ScribbleOption = None,
    polygon: PolygonOption = None,
    mask: MaskOption = None,
    out: Out = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    nms_iou: Overlap = None,
    protocol: Protocol = "known",
    model: Model = None,
    device: Device = None,
) -> None:
    """Find masks of known classes, or of what regions point at.

    visionllm segment village.png house tree --out masks.png

    visionllm segment desk.png --point 142,130 --point 40,60
    """
    from visionllm.processing import open_picture

    options = answer_options(threshold, protocol=protocol, nms_iou=nms_iou)
    regions = parse_regions(box, point, scribble, polygon, mask)
    if regions and classes:
        raise ValueError(f"expected classes or regions, got {len(classes)} classes and {len(regions)} regions")
    if not regions:
        _classes(image, classes or [], out, as_json, options, model, device, masks=True)
        return
    check_out(out)
    picture = open_picture(image)
    check_regions(regions, picture)
    found = load(model, device).segment_regions(picture, regions, options=options)
    _show(picture, found, out, as_json=as_json, asked={"image": str(image), "regions": len(regions)})


def refer(
    image: ImageFile,
    phrase: Annotated[
        str, typer.Argument(metavar="PHRASE", help='Words that mean one thing, such as "the left fish".')
    ],
    out: Out = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    protocol: Protocol = "known",
    model: Model = None,
    device: Device = None,
) -> None:
    """Find the one thing that a phrase means, or nothing if it means nothing in the picture.

    visionllm refer night.png "the pink arrow"

    visionllm refer desk.png "the second key from the left" --json
    """
    from visionllm.processing import open_picture

    check_out(out)
    options = answer_options(threshold, protocol=protocol)
    picture = open_picture(image)
    if not phrase.strip():
        raise ValueError(f"expected a phrase with words, got {phrase!r}")
    found = load(model, device).refer(picture, phrase, options=options)
    _show(picture, found, out, as_json=as_json, asked={"image": str(image), "phrase": phrase})


def _classes(
    image: Path,
    classes: list[str],
    out: Path | None,
    as_json: bool,
    options: "Options",
    model: str | None,
    device: str | None,
    *,
    masks: bool,
) -> None:
    from visionllm.predictor import check_names
    from visionllm.processing import open_picture

    check_out(out)
    check_names(classes)
    picture = open_picture(image)
    predictor = load(model, device)
    search = predictor.segment if masks else predictor.detect
    found = search(picture, classes, options=options)
    _show(picture, found, out, as_json=as_json, asked={"image": str(image), "classes": classes})


def _show(
    picture: "Image.Image", found: "Detections", out: Path | None, *, as_json: bool, asked: dict[str, object]
) -> None:
    """Write the picture, then print what was found."""
    if out is not None:
        save_picture(found.render(picture), out)
    if as_json:
        plain = asked | to_json(found) | {"notices": list(found.notices)}
        print_json(plain | {"out": None if out is None else str(out)})
        return
    if len(found):
        print_instances(found)
    else:
        print("nothing found")
    print_notices(found.notices, out)
