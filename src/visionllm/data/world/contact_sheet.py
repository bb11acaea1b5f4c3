"""A grid of pictures to look at, with the truth drawn over it when asked."""

from PIL import Image, ImageDraw

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.sampling import DEFAULT_SIZE_HW


def contact_sheet(
    seed: int,
    *,
    split: str = "train",
    columns: int = 8,
    rows: int = 6,
    zoom: int = 2,
    boxes: bool = False,
    version: int = 1,
    theme: str = "mixed",
) -> Image.Image:
    """Draw a grid of pictures at the default canvas.

    Args:
        seed: Seed of the first picture; the others follow it.
        split: One of `SPLITS`.
        columns: Pictures in a row.
        rows: Rows of pictures.
        zoom: Screen pixels per picture pixel.
        boxes: Whether to draw the boxes of the things that count.
        version: Version of the world.
        theme: What pictures of version 2 are for.

    Raises:
        ValueError: If the split, the version or the theme is unknown, or a seed is out of range.
    """
    height, width = (side * zoom for side in DEFAULT_SIZE_HW)
    sheet = Image.new("RGB", (columns * (width + 4), rows * (height + 4)), (120, 120, 120))
    for index in range(columns * rows):
        picture = draw_picture(seed + index, split=split, size_hw=DEFAULT_SIZE_HW, version=version, theme=theme)
        cell = Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.NEAREST)
        if boxes:
            draw = ImageDraw.Draw(cell)
            for item in picture.scene.things:
                x0, y0, x1, y1 = (side * zoom for side in item.box)
                draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=(255, 0, 255))
        sheet.paste(cell, (index % columns * (width + 4), index // columns * (height + 4)))
    return sheet
