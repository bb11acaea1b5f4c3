"""`visionllm world`: pictures of the drawn world, with everything that is true about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.output import check_out, console, print_notices, save_picture

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.data.world import WorldPicture

SPLIT_HELP = "train, validation, test, unseen-pairs, unseen-phrasing, hand-drawn, photo-background or crowded."
app = typer.Typer(help="Draw the picture world that the embedded model knows.", no_args_is_help=True)

Split = Annotated[str, typer.Option(help=SPLIT_HELP)]


@app.callback()
def _whole() -> None:
    """Draw the picture world that the embedded model knows."""


@app.command()
def draw(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 100,
    split: Split = "test",
    seed: Annotated[int, typer.Option(min=0, help="Number of the first picture in its split; others follow.")] = 0,
    task: Annotated[list[str] | None, typer.Option(help="Ask these tasks only; see `visionllm tasks`.")] = None,
    questions: Annotated[int, typer.Option(min=0, help="Questions a picture.")] = 8,
    photos: Annotated[
        bool, typer.Option(help="Whether training pictures may have photos behind them (needs scikit-image).")
    ] = False,
) -> None:
    """Draw pictures with their truth: PNG files, objects as COCO JSON, questions with answers as chat JSON.

    visionllm world draw my-world --count 1000 --split train

    visionllm world draw fish --task detect-one --task count --seed 7
    """
    from rich.progress import Progress

    from visionllm.data.world.export import export

    with Progress(console=console(errors=True), transient=True) as bar:
        job = bar.add_task("drawing", total=count)
        export(
            folder,
            split,
            seed,
            count,
            task,
            questions=questions,
            photos=photos,
            progress=lambda done, _: bar.update(job, completed=done),
        )
    print(folder)


@app.command()
def show(
    out: Annotated[Path, typer.Option(help="File of the page (.png, .jpg or .webp).")] = Path("world.png"),
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 12,
    split: Split = "test",
    seed: Annotated[int, typer.Option(min=0, help="Number of the first picture in its split; others follow.")] = 0,
    columns: Annotated[int, typer.Option(min=1, help="Pictures in a row.")] = 4,
) -> None:
    """Draw a page of pictures with what is true about them.

    visionllm world show --split hand-drawn --seed 40 --out world.png
    """
    from visionllm.data.world import draw_picture
    from visionllm.rendering import contact_sheet

    check_out(out)
    photos = split == "photo-background"
    cards = [_card(draw_picture(seed + number, split=split, photos=photos)) for number in range(count)]
    save_picture(contact_sheet(cards, columns=columns), out)
    print_notices((), out)


def _card(picture: "WorldPicture") -> "Image.Image":
    import numpy as np
    from PIL import Image

    from visionllm.rendering import draw_detections
    from visionllm.types import Detections

    things = picture.scene.objects
    names = tuple(dict.fromkeys(f"{thing.colour} {thing.kind}" for thing in things))
    truth = Detections(
        boxes=np.array([thing.box for thing in things], dtype=np.float32).reshape(-1, 4),
        scores=np.ones(len(things), dtype=np.float32),
        class_ids=np.array([names.index(f"{thing.colour} {thing.kind}") for thing in things], dtype=np.int64),
        size_hw=picture.scene.size_hw,
        class_names=names,
    )
    return draw_detections(Image.fromarray(picture.pixels), truth, scores=False, scale=3)
