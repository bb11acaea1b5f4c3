"""Words in lines."""

from PIL import Image, ImageDraw

from visionllm.rendering.canvas import font
from visionllm.rendering.text import wrap, write

FACE = font(14)


def texts(text: str, width: float) -> list[str]:
    return [text[line[0].start : line[-1].end] if line else "" for line in wrap(text, width, FACE)]


def test_a_line_is_broken_at_blanks_and_keeps_to_its_width():
    lines = texts("here are the results for red star and blue fish", 120)
    assert len(lines) > 2
    assert all(FACE.getlength(line) <= 120 for line in lines)
    assert " ".join(lines) == "here are the results for red star and blue fish"


def test_a_word_longer_than_a_line_is_broken_inside():
    lines = texts("a" * 60, 80)
    assert "".join(lines) == "a" * 60
    assert all(FACE.getlength(line) <= 80 for line in lines)


def test_paragraphs_and_double_blanks_keep_their_places():
    assert texts("one\n\ntwo  three", 500) == ["one", "", "two  three"]


def test_no_text_is_one_empty_line():
    assert wrap("", 100, FACE) == [[]]


def test_a_span_is_underlined_in_its_colour_on_every_line_that_it_touches():
    text = "here are the results for red star"
    lines = wrap(text, 90, FACE)
    page = Image.new("RGB", (120, 200), "white")
    start = text.index("results")
    bottom = write(
        ImageDraw.Draw(page),
        (0, 0),
        text,
        lines,
        face=FACE,
        leading=20,
        fill=(0, 0, 0),
        spans=[((start, len(text)), (230, 25, 75))],
    )
    assert bottom == 20 * len(lines)
    rows = {y // 20 for y in range(200) for x in range(120) if page.getpixel((x, y)) == (230, 25, 75)}
    assert len(rows) >= 2
    assert 0 not in rows
