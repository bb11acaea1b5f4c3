"""Signs: boards with one to three short words, in the font that Pillow brings along.

Letters are bit-equal for a Pillow release, whose wheels hold both the font and the library that draws it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from visionllm.data.world.palette import Shade, mixed, sample_shade
from visionllm.data.world.pens import SCALE
from visionllm.data.world.splits import Dice

WORDS: tuple[str, ...] = (
    *("open", "closed", "exit", "stop", "go", "push", "pull", "sale", "bar", "cafe", "taxi", "bus", "shop", "hotel"),
    *("bank", "zoo", "park", "post", "bread", "milk", "tea", "fish", "eggs", "cake", "pizza", "soup", "fruit", "ice"),
    *("north", "south", "east", "west", "left", "right", "up", "down", "in", "out", "home", "school", "bridge", "road"),
    *("danger", "hot", "cold", "wet", "dry", "free", "new", "old", "quiet", "wait", "slow", "fast", "dog", "cat"),
    *("one", "two", "ten", "monday", "friday", "may", "june", "noon", "night", "hello", "please", "thanks", "welcome"),
)
BOARDS: tuple[str, ...] = ("red", "green", "blue", "yellow", "orange", "purple", "brown", "white", "black")
SHAPES: tuple[str, ...] = ("board", "round", "post", "arrow")
_PLAIN: dict[str, Shade] = {"white": (248, 248, 244), "black": (34, 34, 38)}
_LEAST_HEIGHT = 9.0


@dataclass(frozen=True, kw_only=True)
class SignPlan:
    """What a sign is to be.

    Attributes:
        text: Its words, as they are written.
        colour: One of `BOARDS`.
        shape: One of `SHAPES`.
        letters: Height of the font, in canvas pixels.
        angle: Degrees that it is turned by.
        board: Shade of the board.
        ink: Shade of the letters.
        lines: The words of each line.
    """

    text: str
    colour: str
    shape: str
    letters: float
    angle: float
    board: Shade
    ink: Shade
    lines: tuple[str, ...]


Letter = tuple[str, float, float]
"""A letter, and the middle of it: (x, y) in pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SignLayers:
    """A painted sign at twice the canvas resolution: RGB colours, a greyscale silhouette, and where its letters are."""

    colours: Image.Image
    silhouette: Image.Image
    letters: tuple[Letter, ...]


def sample_words(dice: Dice) -> tuple[str, ...]:
    """Draw one to three words for a sign."""
    return tuple(dice.sample(WORDS, dice.choose((1, 2, 3), (0.5, 0.35, 0.15))))


def sample_sign(dice: Dice, shorter: int, words: tuple[str, ...] | None = None) -> SignPlan:
    """Draw what a sign is to be.

    Args:
        dice: Random stream of the picture.
        shorter: Shorter side of the canvas, in pixels.
        words: What it says; drawn by default.
    """
    words = sample_words(dice) if words is None else words
    style = dice.choose(("upper", "lower", "title"), (0.5, 0.2, 0.3))
    written = tuple({"upper": str.upper, "lower": str.lower, "title": str.title}[style](word) for word in words)
    colour = dice.choose(BOARDS)
    board = _PLAIN[colour] if colour in _PLAIN else sample_shade(dice, colour)
    bright = sum(board) > 420
    ink = mixed(board, (14, 12, 18), 0.92) if bright else (252, 252, 248)
    split = len(written) > 1 and (len(written) > 2 or dice.chance(0.6))
    rows = [written[:1], written[1:]] if split else [written]
    lines = tuple(" ".join(row) for row in rows)
    longest = max(len(line) for line in lines)
    most = min(0.17 * shorter, 1.5 * shorter / (longest + 2))
    letters = max(dice.uniform(0.62, 1.0) * most, _LEAST_HEIGHT)
    return SignPlan(
        text=" ".join(written),
        colour=colour,
        shape=dice.choose(SHAPES, (0.5, 0.12 if longest <= 5 else 0.0, 0.2, 0.18 if len(lines) == 1 else 0.0)),
        letters=letters,
        angle=dice.uniform(-9, 9),
        board=board,
        ink=ink,
        lines=lines,
    )


@lru_cache(maxsize=64)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def draw_sign(plan: SignPlan) -> SignLayers:
    """Draw a sign; the same plan always gives the same bytes."""
    font = _font(round(plan.letters * SCALE))
    boxes = [font.getbbox(line) for line in plan.lines]
    width = max(box[2] - box[0] for box in boxes)
    step = round(plan.letters * SCALE * 1.04)
    height = step * (len(boxes) - 1) + round(plan.letters * SCALE * 0.78)
    pad = round(plan.letters * SCALE * 0.42)
    side_x, side_y = round(width) + 2 * pad, height + 2 * pad
    if plan.shape == "round":
        side_x = side_y = round(max(side_x, side_y) * 1.08)
    tip = side_y // 2 if plan.shape == "arrow" else 0
    leg = round(side_y * 0.9) if plan.shape == "post" else 0
    cover = Image.new("L", (side_x + tip, side_y + leg))
    colours = Image.new("RGB", cover.size, plan.board)
    _board(plan, ImageDraw.Draw(cover), ImageDraw.Draw(colours), (side_x, side_y), tip, leg)
    pencil = ImageDraw.Draw(colours)
    letters: list[Letter] = []
    top = (side_y - height) / 2
    for number, (line, box) in enumerate(zip(plan.lines, boxes, strict=True)):
        x = (side_x - (box[2] - box[0])) / 2 - box[0]
        y = top + number * step - font.getbbox("H")[1]
        pencil.text((round(x), round(y)), line, fill=plan.ink, font=font)
        for place, letter in enumerate(line):
            before, behind = font.getlength(line[:place]), font.getlength(line[: place + 1])
            letters.append(
                (letter, round(x) + (before + behind) / 2, top + number * step + 0.39 * plan.letters * SCALE)
            )
    turn = Image.Resampling.BILINEAR
    turned = colours.rotate(plan.angle, turn, expand=True, fillcolor=plan.board)
    return SignLayers(
        colours=turned,
        silhouette=cover.rotate(plan.angle, turn, expand=True),
        letters=_turned([letter for letter in letters if letter[0] != " "], plan.angle, colours.size, turned.size),
    )


def _turned(
    letters: Sequence[Letter], angle: float, size: tuple[int, int], turned: tuple[int, int]
) -> tuple[Letter, ...]:
    """Return where letters are after a picture was turned about its middle, counter-clockwise as seen, by degrees."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    found = []
    for letter, x, y in letters:
        right, down = x - size[0] / 2, y - size[1] / 2
        found.append(
            (letter, turned[0] / 2 + right * cosine + down * sine, turned[1] / 2 - right * sine + down * cosine)
        )
    return tuple(found)


def _board(
    plan: SignPlan,
    cover: ImageDraw.ImageDraw,
    colours: ImageDraw.ImageDraw,
    side: tuple[int, int],
    tip: int,
    leg: int,
) -> None:
    """Draw the board with its edge, and what it stands on."""
    width, height = side
    edge = mixed(plan.board, plan.ink, 0.55)
    line = max(2, round(plan.letters * SCALE * 0.09))
    box = (0, 0, width - 1, height - 1)
    if plan.shape == "round":
        cover.ellipse(box, fill=255)
        colours.ellipse(box, fill=plan.board, outline=edge, width=line)
    elif plan.shape == "arrow":
        corners = [(0, 0), (width, 0), (width + tip - 1, height / 2), (width, height - 1), (0, height - 1)]
        cover.polygon(corners, fill=255)
        colours.polygon(corners, fill=plan.board, outline=edge, width=line)
    else:
        if leg:
            foot = (width * 0.46, height, width * 0.54, height + leg)
            cover.rectangle(foot, fill=255)
            colours.rectangle(foot, fill=(112, 96, 84))
        cover.rounded_rectangle(box, radius=line * 2, fill=255)
        colours.rounded_rectangle(box, radius=line * 2, fill=plan.board, outline=edge, width=line)
