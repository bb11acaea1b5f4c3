"""New pictures on one page, an edited one beside the picture it was made from."""

from collections.abc import Sequence

from PIL import Image

from visionllm.rendering.canvas import Canvas
from visionllm.rendering.palette import PAPER
from visionllm.types import GeneratedImages

_GAP = 14


def draw_generated(image: Image.Image | None, generated: GeneratedImages, *, scale: int | None = None) -> Image.Image:
    """Lay the pictures in a row, behind the picture they were made from.

    Args:
        image: The picture that was edited, or None to leave it out; it is not changed.
        generated: What was made.
        scale: How many times the first picture is enlarged; None makes small ones legible.

    Raises:
        ValueError: If there are no pictures, `image` is not the one that was edited, or the scale is not positive.
    """
    if not len(generated):
        raise ValueError("expected one picture or more to draw, got none")
    if image is None:
        first, *others = generated.images
        return in_row([Canvas(first, scale).image, *others])
    if generated.original_hw != (image.height, image.width):
        wanted = generated.original_hw
        expected = "no picture" if wanted is None else f"the picture that was edited, {wanted[1]}x{wanted[0]}"
        raise ValueError(f"expected {expected}, got {image.width}x{image.height}")
    canvas = Canvas(image, scale)
    paint_generated(canvas, generated)
    return canvas.image


def paint_generated(canvas: Canvas, generated: GeneratedImages) -> None:
    """Widen a canvas and put the pictures at the right of what is on it, each as high."""
    paint_beside(canvas, generated.images)


def paint_beside(canvas: Canvas, pictures: Sequence[Image.Image]) -> None:
    """Widen a canvas and put pictures at the right of what is on it, each as high."""
    if pictures:
        canvas.image = in_row([canvas.image, *pictures])


def in_row(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures side by side, each as high as the first."""
    height = pictures[0].height
    widths = [max(1, round(p.width * height / p.height)) for p in pictures]
    fitted = [p.resize((width, height)) for p, width in zip(pictures, widths, strict=True)]
    page = Image.new("RGB", (sum(p.width for p in fitted) + _GAP * (len(fitted) - 1), height), PAPER)
    left = 0
    for picture in fitted:
        page.paste(picture, (left, 0))
        left += picture.width + _GAP
    return page
