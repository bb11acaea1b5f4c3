"""Makes a gallery for the README: asks a model, by default the embedded one, and draws its answers on one page.

    python docs/gallery.py [MODEL]

Pictures named `world …` are drawn by the generator from seeds of the test split, which no training saw; the others lie
in examples/. What the model answers is shown as it comes, right or wrong.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from visionllm import Point, VisionLLM
from visionllm.data.world import draw_picture
from visionllm.processing import open_picture
from visionllm.rendering import contact_sheet, draw_answer
from visionllm.types import Options, Region

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).parent / "images" / "gallery.png"


@dataclass(frozen=True, kw_only=True)
class Card:
    """A question of the gallery.

    Attributes:
        text: The words.
        picture: A file of examples/, `world THEME SEED`, or None for none.
        regions: What the question points at.
        seed: Of a picture that is made.
    """

    text: str
    picture: str | None = None
    regions: tuple[Region, ...] = ()
    seed: int = 0


CARDS: Sequence[Card] = (
    Card(text="Find the red heart.", picture="desk.png"),
    Card(text="Segment every house.", picture="village.png"),
    Card(text="What is this?", picture="desk.png", regions=(Point(142, 110),)),
    Card(text="Find the pose of every person.", picture="world figures 3"),
    Card(text="Find the keypoints of every dog.", picture="world figures 8"),
    Card(text="Read all signs.", picture="world signs 2"),
    Card(text="Detect every cell.", picture="world scan 1"),
    Card(text="Make a semantic map of houses and trees.", picture="world mixed 1"),
    Card(text="Draw a red star."),
    Card(text="Draw two blue fish.", seed=1),
    Card(text="Make the star green.", picture="world studio 4"),
    Card(text="Remove the heart.", picture="world studio 6"),
)


def opened(name: str | None) -> Image.Image | None:
    """Return the picture of a card."""
    if name is None or not name.startswith("world "):
        return None if name is None else open_picture(ROOT / "examples" / name)
    _, theme, seed = name.split()
    return Image.fromarray(draw_picture(int(seed), split="test", version=2, theme=theme, photos=False).pixels)


def main() -> None:
    """Ask everything and write the page."""
    model = VisionLLM.load(sys.argv[1] if len(sys.argv) > 1 else None)
    cards = []
    for card in CARDS:
        picture = opened(card.picture)
        answer = model.ask(card.text, picture, regions=card.regions, options=Options(seed=card.seed))
        cards.append(draw_answer(picture, card.text, answer, regions=card.regions))
        sys.stdout.write(f"{card.picture}: {card.text} → {answer.text}\n")
    contact_sheet(cards, columns=2).save(PAGE, optimize=True)
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
