"""The picture on the table as HTML: what was found drawn over it, and the same as a table."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.rendering.palette import PALETTE, Colour, text_colour
from visionllm.server.page.session import Session, box_of
from visionllm.types import Box, Instance, Pose, Poses

MOST_MASKS = 60
"""Only so many masks are drawn; the best ones come first."""
_TOOLS = {
    "look": ("Look", "Click what was found to use it in the next question."),
    "point": ("Point", "Click a thing to point at it."),
    "box": ("Box", "Drag a box around a thing."),
    "scribble": ("Scribble", "Scribble over a thing."),
}
_EMPTY = (
    '<div id="vl-stage" class="vl-empty"><p>No picture yet. Open one, take an example, or draw your own: '
    "the buttons are below.</p></div>"
)


def stage(session: Session) -> str:
    """Return the picture with what was found in it."""
    if session.picture is None:
        return _EMPTY
    width, height = session.picture.size
    groups = [_group(index, thing, session.size_hw) for index, thing in enumerate(session.found)]
    bones = _bones(session)
    shapes = "".join(group.format(bones=bones.get(index, "")) for index, group in reversed(list(enumerate(groups))))
    unit = max(width, height) / 100
    return (
        f'<div id="vl-stage" data-picture="{session.token}" data-shown="{session.shown}" '
        f'data-width="{width}" data-height="{height}">'
        f"{_toolbar()}"
        f'<svg class="vl-picture" viewBox="0 0 {width} {height}" style="--unit:{unit:.3f}px" tabindex="0" '
        f'role="application" aria-label="The picture, {width} by {height} pixels. With a tool, arrow keys move a '
        f'cursor and Enter sets it.">'
        f'<image href="{session.url}" width="{width}" height="{height}" preserveAspectRatio="none"/>'
        f'<g class="vl-found">{shapes}</g><g class="vl-marks"></g></svg>'
        f"{_table(session)}</div>"
    )


def _toolbar() -> str:
    tools = "".join(
        f'<button type="button" data-tool="{tool}" title="{escape(told)}" aria-pressed="false">{name}</button>'
        for tool, (name, told) in _TOOLS.items()
    )
    return (
        f'<div class="vl-tools" role="toolbar" aria-label="Point at the picture">{tools}'
        '<button type="button" data-clear>Clear marks</button>'
        '<input class="vl-typed" aria-label="A place in pixels: x y for a point, x0 y0 x1 y1 for a box" '
        'placeholder="or type: x y, or x0 y0 x1 y1" inputmode="numeric" maxlength="60">'
        '<span class="vl-count" role="status"></span></div>'
    )


def _group(index: int, thing: Instance | Pose, size_hw: tuple[int, int]) -> str:
    """Return the shapes of one thing; `{bones}` is where those of a pose go."""
    colour, box = colour_of(index), box_of(thing, size_hw)
    name = f"{index + 1} {thing.label}".strip()
    told = _plain(f"{name}, score {thing.score:.2f}")
    tint = ""
    if isinstance(thing, Instance) and thing.mask is not None and index < MOST_MASKS and thing.mask.any():
        tint = f'<image class="vl-mask" href="{_mask_url(thing.mask, colour)}" {_frame(thing.mask)}/>'
    span = "" if thing.span is None else f' data-span="{thing.span[0]}-{thing.span[1]}"'
    return (
        f'<g class="vl-thing" data-id="{index}" data-score="{thing.score:.4f}"{span} style="--colour:{_css(colour)};'
        f'--ink:{_css(text_colour(colour))}"><title>{told}</title>{tint}'
        f'<rect x="{box.x0:.1f}" y="{box.y0:.1f}" width="{max(box.x1 - box.x0, 0):.1f}" '
        f'height="{max(box.y1 - box.y0, 0):.1f}"/>{{bones}}{_label(name, thing.score, box)}</g>'
    )


def _label(name: str, score: float, box: Box) -> str:
    return f'<text x="{box.x0:.1f}" y="{box.y0:.1f}">{_plain(name)}<tspan class="vl-score"> {score:.2f}</tspan></text>'


def _bones(session: Session) -> dict[int, str]:
    """Return lines and dots of each pose, by its number among everything found."""
    drawn: dict[int, str] = {}
    poses = iter([result for result in session.results if isinstance(result, Poses)])
    current: Poses | None = None
    left = 0
    for index, thing in enumerate(session.found):
        if not isinstance(thing, Pose):
            continue
        while left == 0:
            current = next(poses)
            left = len(current)
        left -= 1
        points = thing.keypoints
        lines = "".join(
            f'<line x1="{points[a].x:.1f}" y1="{points[a].y:.1f}" x2="{points[b].x:.1f}" y2="{points[b].y:.1f}"/>'
            for a, b in (() if current is None else current.bones)
        )
        dots = "".join(
            f'<circle cx="{k.x:.1f}" cy="{k.y:.1f}"><title>{_plain(k.name)}, score {k.score:.2f}</title></circle>'
            for k in points
        )
        drawn[index] = lines + dots
    return drawn


def _table(session: Session) -> str:
    if not session.found:
        return ""
    rows = "".join(
        f'<tr class="vl-row" data-id="{index}" data-score="{thing.score:.4f}"><td><button type="button" '
        f'data-pick="{index}" aria-pressed="false" title="Use it in the next question">'
        f'<span class="vl-swatch" style="background:{_css(colour_of(index))}"></span>{index + 1} {escape(thing.label)}'
        f"</button></td><td>{thing.score:.2f}</td><td>{_pixels(thing, session.size_hw)}</td></tr>"
        for index, thing in enumerate(session.found)
    )
    return (
        '<div class="vl-scroll"><table class="vl-table"><caption>Found; pick one to use it in the next question'
        '</caption><thead><tr><th scope="col">What</th><th scope="col">Score</th><th scope="col">Box in pixels</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _pixels(thing: Instance | Pose, size_hw: tuple[int, int]) -> str:
    box = box_of(thing, size_hw)
    return f"{box.x0:.0f} {box.y0:.0f} {box.x1:.0f} {box.y1:.0f}"


def colour_of(index: int) -> Colour:
    """Return the colour of the thing with this number."""
    return PALETTE[index % len(PALETTE)]


def _css(colour: Sequence[int]) -> str:
    return "rgb({} {} {})".format(*colour)


def _plain(text: str) -> str:
    """Escape a text for a place where braces are filled in later."""
    return escape(text).replace("{", "&#123;").replace("}", "&#125;")


def _mask_url(mask: NDArray[np.bool_], colour: Colour) -> str:
    """Return the part of a mask that its box holds as a small picture with a palette."""
    y0, y1, x0, x1 = _extent(mask)
    image = Image.fromarray(mask[y0:y1, x0:x1].astype(np.uint8), "P")
    image.putpalette([0, 0, 0, *colour])
    file = BytesIO()
    image.save(file, "PNG", transparency=0)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _frame(mask: NDArray[np.bool_]) -> str:
    y0, y1, x0, x1 = _extent(mask)
    return f'x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}" preserveAspectRatio="none"'


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
