"""`visionllm find`: things in new pictures that are like those in example pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.options import AsJson, Device, Model, Protocol, Threshold, answer_options, load
from visionllm.cli.output import check_out, print_instances, print_json, print_notices, save_picture, to_json

if TYPE_CHECKING:
    from visionllm.types import Example

_FORM = "--example FILE@X0,Y0,X1,Y1 or FILE@X,Y"


def find(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="New picture files.")],
    example: Annotated[
        list[str] | None,
        typer.Option(
            "--example", "-e", metavar="FILE@PLACE", help="A picture and a box x0,y0,x1,y1 or point x,y in it."
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="What the thing of each example is called.")
    ] = None,
    save_examples: Annotated[
        Path | None, typer.Option(help="Keep the encoded examples in this file (.safetensors).")
    ] = None,
    use_examples: Annotated[Path | None, typer.Option(help="Examples that were kept earlier.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the annotated pictures into this folder, under their own names.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write the examples and all annotated pictures on one page into this file.")
    ] = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    protocol: Protocol = "known",
    model: Model = None,
    device: Device = None,
) -> None:
    """Find and mask everything that is like one to five examples.

    visionllm find new1.png new2.png -e stars.png@10,10,40,40 --out found --sheet page.png

    visionllm find new.png -e a.png@10,20 -e b.png@30,30 -l bolt -l nut --save-examples parts.safetensors

    visionllm find new.png --use-examples parts.safetensors
    """
    from visionllm.processing import open_picture
    from visionllm.rendering import draw_examples

    if (use_examples is None) == (not example):
        raise ValueError(f"expected {_FORM}, or --use-examples, and not both")
    if out is not None and not out.is_dir():
        raise ValueError(f"expected --out to be a folder that exists, got {str(out)!r}")
    for place in (sheet, *(None if out is None else out / image.name for image in images)):
        check_out(place)
    options = answer_options(threshold, protocol=protocol)
    examples = _examples(example or [], label or [])
    pictures = [open_picture(image) for image in images]
    predictor = load(model, device)
    learned = predictor.learn(examples) if use_examples is None else predictor.load_examples(use_examples)
    if save_examples is not None:
        learned.save(save_examples)
    results = [learned.find(picture, options=options) for picture in pictures]
    if sheet is not None:
        save_picture(draw_examples(learned.examples, pictures, results), sheet)
    told = []
    for image, picture, found in zip(images, pictures, results, strict=True):
        place = None if out is None else out / image.name
        if place is not None:
            save_picture(found.render(picture), place)
        if as_json:
            plain = {"image": str(image)} | to_json(found) | {"notices": list(found.notices)}
            told.append(plain | {"out": None if place is None else str(place)})
            continue
        print(f"{image}: {len(found) or 'nothing'} found")
        print_instances(found)
        print_notices(found.notices, place)
    if as_json:
        print_json({"pictures": told})


def _examples(given: list[str], labels: list[str]) -> list["Example"]:
    """Return examples, opened and checked.

    Raises:
        ValueError: If one has no region, a region is not on its picture, or labels are missing.
    """
    from visionllm.cli.options import parse_regions
    from visionllm.predictor import check_examples
    from visionllm.processing import open_picture
    from visionllm.types import Example

    if labels and len(labels) != len(given):
        raise ValueError(f"expected {len(given)} labels, one per example, got {len(labels)}")
    examples = []
    for i, text in enumerate(given):
        file, _, place = text.rpartition("@")
        count = place.count(",") + 1
        if not file or count not in (2, 4):
            raise ValueError(f"expected {_FORM}, got {text!r}")
        boxes, points = ([place], None) if count == 4 else (None, [place])
        (region,) = parse_regions(boxes, points, None, None, None)
        examples.append(Example(open_picture(Path(file)), region, labels[i] if labels else None))
    if examples:
        check_examples(examples)
    return examples
