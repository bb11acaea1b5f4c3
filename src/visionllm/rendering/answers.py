"""A question with its answer: the annotated picture, and the conversation beside it."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from visionllm.rendering.canvas import Canvas, font
from visionllm.rendering.detections import instance_colours, paint_detections
from visionllm.rendering.palette import AMBER, INK, PAPER, QUIET, Colour, text_colour
from visionllm.rendering.regions import paint_regions
from visionllm.rendering.text import wrap, write
from visionllm.types import Answer, Region

PANEL = 330
_MARGIN = 18
_LISTED = 12
_TALLEST = 20000


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
        ValueError: If the answer's detections belong to a picture of another size, or the scale is not positive.
    """
    if image is None:
        return _panel(question, answer, [], PANEL * 2, 13)
    canvas = Canvas(image, scale)
    found = answer.detections
    colours = [] if found is None else instance_colours(image, found)
    paint_regions(canvas, regions)
    if found is not None:
        paint_detections(canvas, found, colours, masks=True, labels=True, scores=False)
    picture = canvas.image
    beside = picture.width <= 1.6 * picture.height
    text = min(22, max(14, round(max(picture.size) / 36)))
    width = max(PANEL, picture.width // 2) if beside else max(PANEL, picture.width)
    panel = _panel(question, answer, colours, width, text)
    if beside:
        page = Image.new("RGB", (picture.width + width, max(picture.height, panel.height)), PAPER)
        page.paste(panel, (picture.width, 0))
    else:
        page = Image.new("RGB", (max(picture.width, width), picture.height + panel.height), PAPER)
        page.paste(panel, (0, picture.height))
    page.paste(picture, (0, 0))
    return page


def _panel(question: str, answer: Answer, colours: list[Colour], width: int, size: int) -> Image.Image:
    """The words: question, answer with its routed spans underlined, the list of instances, the notices."""
    page = Image.new("RGB", (width, _TALLEST), PAPER)
    pen = ImageDraw.Draw(page)
    room = width - 2 * _MARGIN
    face, small = font(size), font(max(12, round(size * 0.8)))

    def paragraph(y: float, text: str, fill: Colour, spans: Sequence[tuple[tuple[int, int], Colour]] = ()) -> float:
        lines = wrap(text, room, face)
        return write(pen, (_MARGIN, y), text, lines, face=face, leading=size * 1.45, fill=fill, spans=spans)

    y = paragraph(_MARGIN, question or "(no words)", QUIET) + size * 0.5
    y = paragraph(y, answer.text or "(no words)", INK, _spans(answer, colours)) + size * 0.5
    instances = () if answer.detections is None else answer.detections.instances
    for number, (instance, colour) in enumerate(zip(instances[:_LISTED], colours, strict=False), start=1):
        badge = (_MARGIN, y, _MARGIN + size * 1.7, y + size * 1.35)
        pen.rounded_rectangle(badge, radius=3, fill=colour)
        middle = ((badge[0] + badge[2]) / 2, (badge[1] + badge[3]) / 2)
        pen.text(middle, str(number), font=small, fill=text_colour(colour), anchor="mm")
        score = f"{instance.score:.2f}"
        left, right = badge[2] + 8, width - _MARGIN
        name = _shortened(instance.label, right - left - small.getlength(score) - 8, face)
        pen.text((left, middle[1]), name, font=face, fill=INK, anchor="lm")
        pen.text((right, middle[1]), score, font=small, fill=QUIET, anchor="rm")
        y += size * 1.7
    if len(instances) > _LISTED:
        y = paragraph(y, f"… and {len(instances) - _LISTED} more", QUIET)
    for notice in answer.notices:
        lines = wrap(notice, room, small)
        y = write(pen, (_MARGIN, y + 6), notice, lines, face=small, leading=small.size * 1.4, fill=AMBER)
    return page.crop((0, 0, width, min(_TALLEST, round(y + _MARGIN))))


def _spans(answer: Answer, colours: list[Colour]) -> list[tuple[tuple[int, int], Colour]]:
    """Routed spans with the colour of their first instance."""
    spans: dict[tuple[int, int], Colour] = {}
    if answer.detections is not None:
        for instance, colour in zip(answer.detections.instances, colours, strict=True):
            if instance.span is not None:
                spans.setdefault(instance.span, colour)
    return list(spans.items())


def _shortened(text: str, width: float, face) -> str:  # noqa: ANN001
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
