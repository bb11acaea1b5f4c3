"""`visionllm run` and `visionllm caption`: free questions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.many import ask_each
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
from visionllm.cli.output import answer_to_json, check_out, print_answer, print_json, save_picture

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.types import Answer, Options, Region, Request

RunOut = Annotated[
    Path | None,
    typer.Option(
        help="Write the annotated picture to this file (.png, .jpg or .webp), or those of many into this folder."
    ),
]
RunJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else; of many pictures, one a line.")
]
NewTokens = Annotated[int | None, typer.Option(min=1, help="Length limit of the answer.")]


def run(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help='The question, such as "Detect every red star."')],
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE", help="Picture files, if any, or a folder of them.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Ask about every picture on its own, as about those of a folder.")
    ] = False,
    box: BoxOption = None,
    point: PointOption = None,
    scribble: ScribbleOption = None,
    polygon: PolygonOption = None,
    mask: MaskOption = None,
    out: RunOut = None,
    as_json: RunJson = False,
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

    visionllm run "Detect every fish." my-pictures --out found --json > found.jsonl

    Several pictures belong to one question. The pictures of a folder, or those beside --each, are asked about one by
    one, many at once; one that cannot be opened does not stop the others, and the exit code is 1.

    Regions can be given several times: they are region1, region2, … in the order box, point, scribble, polygon, mask.
    They lie on the last picture.
    """
    from dataclasses import replace

    from visionllm.processing import open_picture

    options = replace(answer_options(threshold, seed, max_new_tokens), temperature=temperature)
    if each or any(image.is_dir() for image in images or ()):
        places = [*(box or ()), *(point or ()), *(scribble or ()), *(polygon or ()), *(mask or ())]
        if places:
            raise ValueError(f"expected no regions for many pictures, as they lie on one, got {len(places)}")
        if not prompt.strip():
            raise ValueError(f"expected a question with words, got {prompt!r}")
        ask_each(prompt, images or [], options, lambda: load(model, device), out, as_json=as_json)
        return
    check_out(out)
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
        print_json(answer_to_json(question, files, answer, out))
        return
    print_answer(answer, out)
