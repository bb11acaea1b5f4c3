"""`visionllm demo`: questions about example pictures, the answers, and the pictures drawn over."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.options import Device, Model, load
from visionllm.cli.output import console, print_instances, print_notices, save_picture

if TYPE_CHECKING:
    from PIL import Image

PROMPTS = "prompts.json"
WITHOUT = "no picture"
QUESTIONS = ("What is in the picture?", "Detect everything.")
DRAWN = (("test", 3), ("test", 21), ("hand-drawn", 5), ("crowded", 8))
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Pictures, with their questions in prompts.json; by default examples/, else drawn ones."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the annotated pictures.")] = Path("visionllm-demo"),
    model: Model = None,
    device: Device = None,
) -> None:
    """Ask questions about some pictures; print the answers and write the annotated pictures.

    visionllm demo

    visionllm demo my-pictures --out found

    The file prompts.json beside the pictures holds {"picture.png": ["question", …], …}; questions under "no picture",
    such as "Draw a red star.", are asked without one.
    """
    from visionllm.rendering import contact_sheet, draw_answer

    if folder is None and Path("examples").is_dir():
        folder = Path("examples")
    asked = list(_drawn() if folder is None else _listed(folder))
    predictor = load(model, device)
    out.mkdir(parents=True, exist_ok=True)
    page = console()
    cards: list[Image.Image] = []
    for name, picture, questions in asked:
        page.print(f"\n{name}", style="bold")
        ask = predictor.ask if picture is None else predictor.open(picture).ask
        for number, question in enumerate(questions, start=1):
            answer = ask(question)
            page.print(f"> {question}", style="dim")
            page.print(answer.text)
            print_instances(answer.detections)
            print_notices(answer.notices)
            cards.append(draw_answer(picture, question, answer))
            save_picture(cards[-1], out / f"{Path(name).stem.replace(' ', '-')}-{number}.png")
    save_picture(contact_sheet(cards, columns=2), out / "all.png")
    page.print(f"\nThe annotated pictures are in {out}; all.png shows them on one page.")


def _listed(folder: Path) -> Iterator[tuple[str, "Image.Image | None", Sequence[str]]]:
    """Yield name, picture and questions of a folder; every picture is opened before the first question is asked."""
    from visionllm.processing import open_picture

    if not folder.is_dir():
        raise ValueError(f"expected a folder of pictures, got {str(folder)!r}")
    if (folder / PROMPTS).is_file():
        prompts = _prompts(folder / PROMPTS)
    else:
        files = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
        prompts = {name: list(QUESTIONS) for name in files}
    if not prompts:
        raise ValueError(f"expected pictures in {folder}, got none")
    for name, questions in prompts.items():
        yield name, None if name == WITHOUT else open_picture(folder / name), questions


def _prompts(file: Path) -> dict[str, list[str]]:
    try:
        prompts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        prompts = None
    if isinstance(prompts, dict) and all(_are_questions(questions) for questions in prompts.values()):
        return prompts
    raise ValueError(f'expected {{"picture.png": ["question", …], …}} in {file}, got something else')


def _are_questions(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(question, str) for question in value)


def _drawn() -> Iterator[tuple[str, "Image.Image | None", Sequence[str]]]:
    from PIL import Image

    from visionllm.data.world import draw_picture

    for split, seed in DRAWN:
        picture = draw_picture(seed, split=split, photos=False)
        yield f"{split}-{seed}.png", Image.fromarray(picture.pixels), QUESTIONS
