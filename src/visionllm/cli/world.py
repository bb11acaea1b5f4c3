"""`visionllm world`: pictures of the drawn world, with everything that is true about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.output import check_out, console, print_notices, save_picture

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.data.world import WorldPicture

SPLIT_HELP = "train, validation, test, unseen-pairs, unseen-phrasing, hand-drawn, photo-background or crowded."
THEME_HELP = (
    "What pictures of version 2 are for: mixed (a little of everything), figures (people and animals), signs (words to "
    "read), studio (a few things apart, to be drawn and edited), camouflage (one thing that hides), or another domain: "
    "aerial, scan or workpiece."
)
app = typer.Typer(help="Draw the picture world that the embedded model knows.", no_args_is_help=True)

Version = Annotated[
    int, typer.Option(min=1, max=2, help="1: twenty kinds of objects. 2: also people, animals, signs, other domains.")
]
Theme = Annotated[str, typer.Option(help=THEME_HELP)]
Split = Annotated[str, typer.Option(help=SPLIT_HELP)]


@app.callback()
def _whole() -> None:
    """Draw the picture world that the embedded model knows."""


@app.command()
def draw(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 100,
    version: Version = 1,
    theme: Theme = "mixed",
    split: Split = "test",
    seed: Annotated[int, typer.Option(min=0, help="Number of the first picture in its split; others follow.")] = 0,
    task: Annotated[list[str] | None, typer.Option(help="Ask these tasks only; see `visionllm tasks`.")] = None,
    questions: Annotated[int, typer.Option(min=0, help="Questions a picture.")] = 8,
    photos: Annotated[
        bool, typer.Option(help="Whether training pictures may have photos behind them (needs scikit-image).")
    ] = False,
) -> None:
    """Draw pictures with their truth: PNG files, objects as COCO JSON, questions with answers as chat JSON.

    Figures have keypoints in the COCO file; pictures that a question shows or an answer makes lie in `more`.

    visionllm world draw my-world --count 1000 --split train

    visionllm world draw fish --task detect-one --task count --seed 7

    visionllm world draw people --version 2 --theme figures --task pose-person
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
            version=version,
            theme=theme,
            progress=lambda done, _: bar.update(job, completed=done),
        )
    print(folder)


@app.command()
def show(
    out: Annotated[Path, typer.Option(help="File of the page (.png, .jpg or .webp).")] = Path("world.png"),
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 12,
    version: Version = 1,
    theme: Theme = "mixed",
    split: Split = "test",
    seed: Annotated[int, typer.Option(min=0, help="Number of the first picture in its split; others follow.")] = 0,
    columns: Annotated[int, typer.Option(min=1, help="Pictures in a row.")] = 4,
    truth: Annotated[bool, typer.Option(help="Whether boxes, names and skeletons are drawn over the pictures.")] = True,
) -> None:
    """Draw a page of pictures with what is true about them.

    visionllm world show --split hand-drawn --seed 40 --out world.png

    visionllm world show --version 2 --theme figures

    visionllm world show --version 2 --theme studio --no-truth
    """
    from visionllm.data.world import draw_picture
    from visionllm.rendering import contact_sheet

    check_out(out)
    photos = split == "photo-background"
    drawn = [
        draw_picture(seed + number, split=split, photos=photos, version=version, theme=theme) for number in range(count)
    ]
    save_picture(contact_sheet([_card(picture, truth=truth) for picture in drawn], columns=columns), out)
    print_notices((), out)


def _card(picture: "WorldPicture", *, truth: bool) -> "Image.Image":
    from PIL import Image

    from visionllm.data.world.results import detections_of, poses_of
    from visionllm.rendering import Canvas, instance_colours, paint_detections, paint_poses

    image = Image.fromarray(picture.pixels)
    canvas = Canvas(image, 3)
    if truth:
        painted = 0
        for poses in poses_of(picture.scene):
            paint_poses(canvas, poses, boxes=False, labels=False, threshold=0.5, first=painted)
            painted += len(poses)
        found = detections_of(picture.scene)
        paint_detections(canvas, found, instance_colours(image, found), masks=False, labels=True, scores=False)
    return canvas.image
