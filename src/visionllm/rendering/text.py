"""Words in lines: wrapping with the characters' places kept, so that spans can be coloured."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import ImageDraw, ImageFont

from visionllm.rendering.palette import Colour


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word of a line: its text, and where its first character stands in the whole text."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Place after the last character."""
        return self.start + len(self.text)


def wrap(text: str, width: float, face: ImageFont.FreeTypeFont) -> list[list[Word]]:
    """Break a text into lines of at most `width` pixels, at blanks and inside words that are longer than a line."""
    lines: list[list[Word]] = []
    offset = 0
    for paragraph in text.split("\n"):
        line: list[Word] = []
        for word in _words(paragraph, offset, width, face):
            start = line[0].start if line else word.start
            if line and face.getlength(text[start : word.end]) > width:
                lines.append(line)
                line = []
            line.append(word)
        lines.append(line)
        offset += len(paragraph) + 1
    return lines


def _words(paragraph: str, offset: int, width: float, face: ImageFont.FreeTypeFont) -> list[Word]:
    words = []
    place = 0
    for piece in paragraph.split(" "):
        rest, start = piece, place
        while rest:
            fits = len(rest)
            while fits > 1 and face.getlength(rest[:fits]) > width:
                fits -= 1
            words.append(Word(text=rest[:fits], start=offset + start))
            rest, start = rest[fits:], start + fits
        place += len(piece) + 1
    return words


def write(
    pen: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    lines: Sequence[Sequence[Word]],
    *,
    face: ImageFont.FreeTypeFont,
    leading: float,
    fill: Colour,
    spans: Sequence[tuple[tuple[int, int], Colour]] = (),
) -> float:
    """Write wrapped lines with their top left at `corner`; spans are underlined in their colours.

    Returns:
        The y below the last line.
    """
    left, y = corner
    for line in lines:
        if line:
            begin = line[0].start
            for (start, end), colour in spans:
                first, last = max(start, begin), min(end, line[-1].end)
                if first < last:
                    x0 = left + face.getlength(text[begin:first])
                    x1 = left + face.getlength(text[begin:last])
                    base = y + face.size * 1.12
                    pen.rectangle((x0, base, x1, base + max(2, face.size // 8)), fill=colour)
            pen.text((left, y), text[begin : line[-1].end], font=face, fill=fill)
        y += leading
    return y
