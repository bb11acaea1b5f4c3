"""`visionllm generate` and `visionllm edit`: new pictures and changed ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.options import (
    AsJson,
    BoxOption,
    Device,
    MaskOption,
    Model,
    PointOption,
    PolygonOption,
    Protocol,
    ProtocolName,
    ScribbleOption,
    Seed,
    check_regions,
    load,
    parse_regions,
)
from visionllm.cli.output import check_out, print_json, print_notices, save_picture

if TYPE_CHECKING:
    from visionllm.types import GeneratedImages, Options

Out = Annotated[Path, typer.Option(help="Write the new picture to this file (.png, .jpg or .webp).")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps from noise to a picture; the model's own by default.")]
Guidance = Annotated[float | None, typer.Option(min=0, help="How strongly the words guide; 1 switches it off.")]
ImageGuidance = Annotated[float | None, typer.Option(min=0, help="How strongly the old picture guides.")]
Scheduler = Annotated[str | None, typer.Option(help="A scheduler of diffusers by its name, such as LCMScheduler.")]
Size = Annotated[str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Size in pixels; the model's own by default.")]


def generate(
    caption: Annotated[str, typer.Argument(metavar="CAPTION", help='Such as "two red stars above a boat".')],
    out: Out = Path("generated.png"),
    seed: Seed = 0,
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: Scheduler = None,
    size: Size = None,
    protocol: Protocol = "known",
    as_json: AsJson = False,
    model: Model = None,
    device: Device = None,
) -> None:
    """Make a new picture.

    visionllm generate "two red stars above a boat" --out stars.png --seed 3

    The embedded model draws the things of its own world, at 64×64 pixels, and many of them wrong (docs/scores.md).
    """
    check_out(out)
    options = _options(seed, steps, guidance, None, scheduler, size, protocol)
    if not caption.strip(" ."):
        raise ValueError(f"expected words for a picture, got {caption!r}")
    made = load(model, device).generate(caption, options=options)
    _show(made, out, as_json=as_json, asked={"caption": caption})


def edit(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.")],
    wish: Annotated[str, typer.Argument(metavar="WISH", help='What should change, such as "Make the star blue".')],
    box: BoxOption = None,
    point: PointOption = None,
    scribble: ScribbleOption = None,
    polygon: PolygonOption = None,
    mask: MaskOption = None,
    out: Out = Path("edited.png"),
    seed: Seed = 0,
    steps: Steps = None,
    guidance: Guidance = None,
    image_guidance: ImageGuidance = None,
    scheduler: Scheduler = None,
    size: Size = None,
    protocol: Protocol = "known",
    as_json: AsJson = False,
    model: Model = None,
    device: Device = None,
) -> None:
    """Make a changed copy of a picture.

    visionllm edit stars.png "Make the star blue" --out blue.png

    visionllm edit stars.png "Make this blue" --box 10,10,60,60

    With regions, every pixel outside all of them stays as it is.

    The embedded model recolours and removes; to add, move or replace it rarely manages (docs/scores.md).
    """
    from visionllm.processing import open_picture

    check_out(out)
    options = _options(seed, steps, guidance, image_guidance, scheduler, size, protocol)
    picture = open_picture(image)
    if not wish.strip(" ."):
        raise ValueError(f"expected words for a picture, got {wish!r}")
    regions = parse_regions(box, point, scribble, polygon, mask)
    check_regions(regions, picture)
    made = load(model, device).edit(picture, wish, regions=regions, options=options)
    _show(made, out, as_json=as_json, asked={"image": str(image), "wish": wish})


def _options(
    seed: int,
    steps: int | None,
    guidance: float | None,
    image_guidance: float | None,
    scheduler: str | None,
    size: str | None,
    protocol: ProtocolName,
) -> "Options":
    from visionllm.config.diffusion import check_scheduler
    from visionllm.types import Options

    if scheduler is not None:
        check_scheduler(scheduler)
    return Options(
        seed=seed,
        protocol=protocol,
        steps=steps,
        guidance=guidance,
        image_guidance=image_guidance,
        scheduler=scheduler,
        size_hw=None if size is None else _size(size),
    )


def _size(text: str) -> tuple[int, int]:
    """Return (height, width) of a size that is written as width x height."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise ValueError(f"expected --size as WIDTHxHEIGHT in pixels, such as 96x64, got {text!r}")
    return int(height), int(width)


def _show(made: "GeneratedImages", out: Path, *, as_json: bool, asked: dict[str, object]) -> None:
    """Write the picture, then say what was made."""
    (picture,) = made.images
    save_picture(picture, out)
    if as_json:
        plain = {"size_hw": [picture.height, picture.width], "seed": made.seeds[0], "notices": list(made.notices)}
        print_json(asked | plain | {"out": str(out)})
        return
    print(f"{picture.width}×{picture.height} pixels, seed {made.seeds[0]}")
    print_notices(made.notices, out)
