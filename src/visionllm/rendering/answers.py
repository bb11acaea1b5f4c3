"""A question with its answer: the annotated picture, and the conversation beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from visionllm.rendering.canvas import Canvas, font
from visionllm.rendering.detections import instance_colours, paint_detections
from visionllm.rendering.generated import paint_beside
from visionllm.rendering.palette import AMBER, INK, PAPER, QUIET, Colour, text_colour
from visionllm.rendering.poses import check_size, paint_poses, pose_colour
from visionllm.rendering.regions import paint_regions
from visionllm.rendering.text import wrap, write
from visionllm.types import Answer, Region

PANEL = 330
_MARGIN = 18
_LISTED = 12
_TALLEST = 20000


@dataclass(frozen=True)
class _Listed:
    """A line of the list of what was found."""

    label: str
    score: float
    span: tuple[int, int] | None
    colour: Colour


def draw_results(
    image: Image.Image | None,
    answer: Answer,
    *,
    scale: int | None = None,
    masks: bool = True,
    labels: bool = True,
    scores: bool = True,
) -> Image.Image:
    """Draw everything that an answer found on a copy of its picture, and what it made beside it.

    Args:
        image: The picture, which is not changed, or None for a question without one.
        answer: What the model answered.
        scale: How many times the picture is enlarged; None makes small pictures legible.
        masks: Whether masks are tinted.
        labels: Whether names and numbers are written.
        scores: Whether scores stand behind the names of detections.

    Raises:
        ValueError: If there is nothing to draw on, the results belong to a picture of another size, or the scale is not
            positive.
    """
    if image is not None and answer.detections is None and not answer.poses and not answer.pictures:
        return image.copy()
    drawn, _ = _drawn(image, answer, scale, masks=masks, labels=labels, scores=scores)
    if drawn is None:
        raise ValueError("expected a picture to draw on, got none")
    return drawn


def _drawn(
    image: Image.Image | None, answer: Answer, scale: int | None, regions: Sequence[Region] = (), **style: bool
) -> tuple[Image.Image | None, list[_Listed]]:
    """Draw regions, what was found and what was made; return the picture, None without any, and the list of things."""
    made = [picture for generated in answer.pictures for picture in generated.images]
    if image is None and not made:
        return None, []
    canvas = Canvas(made.pop(0) if image is None else image, scale)
    listed: list[_Listed] = []
    if image is not None:
        paint_regions(canvas, regions)
        listed = _paint(canvas, image, answer, **style)
    paint_beside(canvas, made)
    return canvas.image, listed


def _paint(
    canvas: Canvas, image: Image.Image, answer: Answer, *, masks: bool = True, labels: bool = True, scores: bool = True
) -> list[_Listed]:
    """Draw what an answer found, and return it in the order of the numbers it has in the picture."""
    listed: list[_Listed] = []
    if answer.detections is not None:
        colours = instance_colours(image, answer.detections)
        paint_detections(canvas, answer.detections, colours, masks=masks, labels=labels, scores=scores)
        listed += [
            _Listed(i.label, i.score, i.span, c) for i, c in zip(answer.detections.instances, colours, strict=True)
        ]
    for poses in answer.poses:
        check_size(image, poses)
        first = len(listed)
        paint_poses(canvas, poses, labels=labels, first=first)
        listed += [
            _Listed(pose.label, pose.score, pose.span, pose_colour(first + i)) for i, pose in enumerate(poses.instances)
        ]
    return listed


def draw_answer(
    image: Image.Image | None,
    question: str,
    answer: Answer,
    *,
    regions: Sequence[Region] = (),
    scale: int | None = None,
) -> Image.Image:
    """Draw a question with its answer: the picture with what was found, the words at its side (below it if it is wide).

    Args:
        image: The picture, which is not changed, or None for a question without one.
        question: The words of the question.
        answer: What the model answered.
        regions: What the question pointed at.
        scale: How many times the picture is enlarged; None makes small pictures legible.

    Raises:
        ValueError: If the answer's results belong to a picture of another size, or the scale is not positive.
    """
    picture, listed = _drawn(image, answer, scale, regions, scores=False)
    if picture is None:
        return _panel(question, answer, listed, PANEL * 2, 13)
    beside = picture.width <= 1.6 * picture.height
    text = min(22, max(14, round(max(picture.size) / 36)))
    width = max(PANEL, picture.width // 2) if beside else max(PANEL, picture.width)
    panel = _panel(question, answer, listed, width, text)
    if beside:
        page = Image.new("RGB", (picture.width + width, max(picture.height, panel.height)), PAPER)
        page.paste(panel, (picture.width, 0))
    else:
        page = Image.new("RGB", (max(picture.width, width), picture.height + panel.height), PAPER)
        page.paste(panel, (0, picture.height))
    page.paste(picture, (0, 0))
    return page


def _panel(question: str, answer: Answer, listed: Sequence[_Listed], width: int, size: int) -> Image.Image:
    """The words: question, answer with its routed spans underlined, the list of instances, the notices."""
    page = Image.new("RGB", (width, _TALLEST), PAPER)
    pen = ImageDraw.Draw(page)
    room = width - 2 * _MARGIN
    face, small = font(size), font(max(12, round(size * 0.8)))

    def paragraph(y: float, text: str, fill: Colour, spans: Sequence[tuple[tuple[int, int], Colour]] = ()) -> float:
        lines = wrap(text, room, face)
        return write(pen, (_MARGIN, y), text, lines, face=face, leading=size * 1.45, fill=fill, spans=spans)

    y = paragraph(_MARGIN, question or "(no words)", QUIET) + size * 0.5
    y = paragraph(y, answer.text or "(no words)", INK, _spans(listed)) + size * 0.5
    for number, thing in enumerate(listed[:_LISTED], start=1):
        badge = (_MARGIN, y, _MARGIN + size * 1.7, y + size * 1.35)
        pen.rounded_rectangle(badge, radius=3, fill=thing.colour)
        middle = ((badge[0] + badge[2]) / 2, (badge[1] + badge[3]) / 2)
        pen.text(middle, str(number), font=small, fill=text_colour(thing.colour), anchor="mm")
        score = f"{thing.score:.2f}"
        left, right = badge[2] + 8, width - _MARGIN
        name = _shortened(thing.label, right - left - small.getlength(score) - 8, face)
        pen.text((left, middle[1]), name, font=face, fill=INK, anchor="lm")
        pen.text((right, middle[1]), score, font=small, fill=QUIET, anchor="rm")
        y += size * 1.7
    if len(listed) > _LISTED:
        y = paragraph(y, f"… and {len(listed) - _LISTED} more", QUIET)
    for notice in answer.notices:
        lines = wrap(notice, room, small)
        y = write(pen, (_MARGIN, y + 6), notice, lines, face=small, leading=small.size * 1.4, fill=AMBER)
    return page.crop((0, 0, width, min(_TALLEST, round(y + _MARGIN))))


def _spans(listed: Sequence[_Listed]) -> list[tuple[tuple[int, int], Colour]]:
    """Routed spans with the colour of their first instance."""
    spans: dict[tuple[int, int], Colour] = {}
    for thing in listed:
        if thing.span is not None:
            spans.setdefault(thing.span, thing.colour)
    return list(spans.items())


def _shortened(text: str, width: float, face) -> str:  # noqa: ANN001
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
