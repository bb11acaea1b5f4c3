"""`visionllm demo`: questions about example pictures, the answers, and the pictures drawn over."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.options import Device, Model, load
from visionllm.cli.output import console, print_answer, save_picture

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.types import Region

PROMPTS = "prompts.json"
WITHOUT = "no picture"
QUESTIONS = ("What is in the picture?", "Detect everything.")
DRAWN = (("test", 3), ("test", 21), ("hand-drawn", 5), ("crowded", 8))


@dataclass(frozen=True)
class _Question:
    """Words, and what they point at."""

    text: str
    regions: "tuple[Region, ...]" = ()


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
    such as "Draw a red star.", are asked without one. A question about a place is {"ask": "What is this?", "at":
    [142, 110]}: a point (x, y) or a box (x0, y0, x1, y1).
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
            answer = ask(question.text, regions=question.regions)
            page.print(f"> {question.text}", style="dim")
            print_answer(answer)
            cards.append(draw_answer(picture, question.text, answer, regions=question.regions))
            save_picture(cards[-1], out / f"{Path(name).stem.replace(' ', '-')}-{number}.png")
    save_picture(contact_sheet(cards, columns=2), out / "all.png")
    page.print(f"\nThe annotated pictures are in {out}; all.png shows them on one page.")


def _listed(folder: Path) -> Iterator[tuple[str, "Image.Image | None", Sequence[_Question]]]:
    """Yield name, picture and questions of a folder; every picture is opened before the first question is asked."""
    from visionllm.processing import open_picture, picture_files

    if not folder.is_dir():
        raise ValueError(f"expected a folder of pictures, got {str(folder)!r}")
    if (folder / PROMPTS).is_file():
        prompts = _prompts(folder / PROMPTS)
    else:
        prompts = {file.name: _usual() for file in picture_files(folder)}
    if not prompts:
        raise ValueError(f"expected pictures in {folder}, got none")
    for name, questions in prompts.items():
        yield name, None if name == WITHOUT else open_picture(folder / name), questions


def _usual() -> list[_Question]:
    return [_Question(text) for text in QUESTIONS]


def _prompts(file: Path) -> dict[str, list[_Question]]:
    try:
        prompts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(prompts, dict) or not all(isinstance(some, list) for some in prompts.values()):
            raise ValueError("expected lists of questions by picture")
        return {name: [_question(raw) for raw in some] for name, some in prompts.items()}
    except (ValueError, TypeError):
        raise ValueError(f'expected {{"picture.png": ["question", …], …}} in {file}, got something else') from None


def _question(raw: object) -> _Question:
    """Read a question: its words, or its words with the place that they are about."""
    from visionllm.types import Box, Point

    if isinstance(raw, str):
        return _Question(raw)
    if isinstance(raw, dict) and set(raw) == {"ask", "at"} and isinstance(raw["ask"], str):
        place = [float(number) for number in raw["at"]]
        if len(place) in (2, 4):
            return _Question(raw["ask"], (Point(*place) if len(place) == 2 else Box(*place),))
    raise ValueError(f"expected a question, got {raw!r}")


def _drawn() -> Iterator[tuple[str, "Image.Image | None", Sequence[_Question]]]:
    from PIL import Image

    from visionllm.data.world import draw_picture

    for split, seed in DRAWN:
        picture = draw_picture(seed, split=split, photos=False)
        yield f"{split}-{seed}.png", Image.fromarray(picture.pixels), _usual()
