"""Many pictures on one page."""

from collections.abc import Sequence

from PIL import Image

from visionllm.rendering.palette import PAPER

_GAP = 14
_GROUND = (233, 235, 239)


def contact_sheet(pictures: Sequence[Image.Image], *, columns: int = 2) -> Image.Image:
    """Lay pictures out in columns, each put where the page is shortest so far.

    Args:
        pictures: What to show, in reading order; wider ones are reduced to the narrowest column.
        columns: How many columns.

    Raises:
        ValueError: If there are no pictures or no columns.
    """
    if not pictures or columns < 1:
        raise ValueError(f"expected at least one picture and one column, got {len(pictures)} and {columns}")
    columns = min(columns, len(pictures))
    width = sorted(picture.width for picture in pictures)[len(pictures) // 2]
    heights = [_GAP] * columns
    places = []
    for picture in pictures:
        fitted = (
            picture
            if picture.width <= width
            else picture.resize((width, round(picture.height * width / picture.width)))
        )
        column = heights.index(min(heights))
        places.append((fitted, (_GAP + column * (width + _GAP), heights[column])))
        heights[column] += fitted.height + _GAP
    page = Image.new("RGB", (_GAP + columns * (width + _GAP), max(heights)), _GROUND)
    for picture, place in places:
        card = Image.new("RGB", (width, picture.height), PAPER)
        card.paste(picture, (0, 0))
        page.paste(card, place)
    return page
