"""Example pictures on one page with the new ones in which such things were found."""

from collections.abc import Sequence

from PIL import Image

from visionllm.rendering.canvas import Canvas
from visionllm.rendering.detections import draw_detections
from visionllm.rendering.generated import in_row
from visionllm.rendering.palette import PAPER
from visionllm.rendering.regions import paint_regions
from visionllm.types import Detections, Example

_GAP = 14
_COLUMNS = 3


def draw_examples(
    examples: Sequence[Example], images: Sequence[Image.Image], found: Sequence[Detections]
) -> Image.Image:
    """Draw what is meant in each example, in the first row, and below what is like it in new pictures.

    Args:
        examples: Pictures with what is meant in them; a name stands beside it where there is one.
        images: The new pictures; they are not changed.
        found: What was found in each.

    Raises:
        ValueError: If there are no examples, not as many results as pictures, or a result belongs to another picture.
    """
    if not examples or len(images) != len(found):
        raise ValueError(
            f"expected examples, and a result a picture, got {len(examples)}, and {len(found)} for {len(images)}"
        )
    shown = []
    for example in examples:
        canvas = Canvas(example.image)
        paint_regions(canvas, [example.region], [example.label or "this"])
        shown.append(canvas.image)
    rows = [in_row(shown)]
    drawn = [draw_detections(image, result) for image, result in zip(images, found, strict=True)]
    rows += [in_row(drawn[first : first + _COLUMNS]) for first in range(0, len(drawn), _COLUMNS)]
    width = max(row.width for row in rows)
    page = Image.new("RGB", (width + 2 * _GAP, sum(row.height + _GAP for row in rows) + _GAP), PAPER)
    top = _GAP
    for row in rows:
        page.paste(row, (_GAP, top))
        top += row.height + _GAP
    return page
