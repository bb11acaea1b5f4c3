"""`visionllm run` and `visionllm caption`: free questions."""

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
    PointOption,
    PolygonOption,
    ScribbleOption,
    Seed,
    Threshold,
    answer_options,
    check_regions,
    load,
    parse_regions,
)
from visionllm.cli.output import (
    check_out,
    poses_to_json,
    print_answer,
    print_json,
    save_picture,
    to_json,
)

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.types import Answer, Options, Region, Request

NewTokens = Annotated[int | None, typer.Option(min=1, help="Length limit of the answer.")]


def run(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help='The question, such as "Detect every red star."')],
    images: Annotated[list[Path] | None, typer.Argument(metavar="IMAGE", help="Picture files, if any.")] = None,
    box: BoxOption = None,
    point: PointOption = None,
    scribble: ScribbleOption = None,
    polygon: PolygonOption = None,
    mask: MaskOption = None,
    out: Out = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    max_new_tokens: NewTokens = None,
    seed: Seed = 0,
    temperature: Annotated[float, typer.Option(min=0, help="Above 0, answers are sampled.")] = 0.0,
    model: Model = None,
    device: Device = None,
) -> None:
    """Ask a question; the answer is text, with boxes and masks where the model routes words to its detector.

    visionllm run "Detect every red star." stars.png --out found.png

    visionllm run "What is this?" desk.png --point 142,130

    visionllm run "How many fish are there?" harbour.png --json

    Regions can be given several times: they are region1, region2, … in the order box, point, scribble, polygon, mask.
    They lie on the last picture.
    """
    from dataclasses import replace

    from visionllm.processing import open_picture

    check_out(out)
    options = replace(answer_options(threshold, seed, max_new_tokens), temperature=temperature)
    pictures = [open_picture(file) for file in images or ()]
    regions = parse_regions(box, point, scribble, polygon, mask)
    if regions and not pictures:
        raise ValueError(f"expected a picture for {len(regions)} regions, got none")
    if not prompt.strip() and not regions:
        raise ValueError(f"expected a question with words, got {prompt!r}")
    if regions:
        check_regions(regions, pictures[-1])
    request = _request(prompt, pictures, regions, options)
    answer = load(model, device).answer([request])[0]
    _show(prompt, request, answer, regions, out, as_json=as_json, files=images or [])


def caption(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.")],
    out: Out = None,
    as_json: AsJson = False,
    threshold: Threshold = None,
    max_new_tokens: NewTokens = None,
    model: Model = None,
    device: Device = None,
) -> None:
    """Describe a picture.

    visionllm caption village.png
    """
    from visionllm.processing import open_picture
    from visionllm.types import ask

    check_out(out)
    options = answer_options(threshold, 0, max_new_tokens)
    picture = open_picture(image)
    predictor = load(model, device)
    question = predictor.processor.config.prompts.caption
    request = ask(question, picture, options=options)
    _show(question, request, predictor.answer([request])[0], [], out, as_json=as_json, files=[image])


def _request(prompt: str, pictures: "list[Image.Image]", regions: "list[Region]", options: "Options") -> "Request":
    from visionllm.types import Mark, Message, Part, Picture, Request

    parts: list[Part] = [*(Picture(picture) for picture in pictures), prompt]
    for region in regions:
        parts += [" ", Mark(region)]
    return Request((Message("user", tuple(parts)),), options)


def _show(
    question: str,
    request: "Request",
    answer: "Answer",
    regions: "list[Region]",
    out: Path | None,
    *,
    as_json: bool,
    files: list[Path],
) -> None:
    """Write the picture, then print the answer."""
    if out is not None:
        from visionllm.rendering import draw_answer

        shown = request.pictures[-1] if request.pictures else None
        if shown is None and not answer.pictures:
            raise ValueError("expected a picture to draw on for --out, got none")
        save_picture(draw_answer(shown, question, answer, regions=regions), out)
    if as_json:
        told = answer.to_dict()
        plain = {name: told[name] for name in ("text", "finish_reason", "tokens", "notices")}
        plain = {"question": question, "images": [str(file) for file in files]} | plain | to_json(answer.detections)
        plain["poses"] = [poses_to_json(poses) for poses in answer.poses]
        plain |= {name: told[name] for name in ("pictures", "others")}
        print_json(plain | {"out": None if out is None else str(out)})
        return
    print_answer(answer, out)
