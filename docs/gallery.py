"""Makes a gallery for the README: asks a model, by default the embedded one, and draws its answers on one page.

    python docs/gallery.py [MODEL]

The pictures lie in examples/. What the model answers is shown as it comes.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visionllm import Point, VisionLLM
from visionllm.processing import open_picture
from visionllm.rendering import contact_sheet, draw_answer
from visionllm.types import Options, Region

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PAGE = Path(__file__).parent / "images" / "gallery.png"


@dataclass(frozen=True, kw_only=True)
class Card:
    """A question of the gallery.

    Attributes:
        text: The words.
        picture: A file of examples/, or None for none.
        regions: What the question points at.
        seed: Of a picture that is made.
    """

    text: str
    picture: str | None = None
    regions: tuple[Region, ...] = ()
    seed: int = 0


CARDS: Sequence[Card] = (
    Card(text="Find the blue cup.", picture="desk.png"),
    Card(text="Segment every house.", picture="village.png"),
    Card(text="Describe this picture with boxes.", picture="stars.png"),
    Card(text="What is this?", picture="desk.png", regions=(Point(142, 110),)),
    Card(text="Find the pose of every person.", picture="park.png"),
    Card(text="Find the keypoints of every horse.", picture="paddock.png"),
    Card(text="Detect every cell.", picture="scan.png"),
    Card(text="Make a semantic map of houses and trees.", picture="village.png"),
    Card(text="Draw a red star."),
    Card(text="Draw two green fish."),
    Card(text="Make the star green.", picture="studio.png"),
    Card(text="Remove the star.", picture="studio.png"),
)


def main() -> None:
    """Ask everything and write the page."""
    model = VisionLLM.load(sys.argv[1] if len(sys.argv) > 1 else None)
    cards = []
    for card in CARDS:
        picture = None if card.picture is None else open_picture(EXAMPLES / card.picture)
        answer = model.ask(card.text, picture, regions=card.regions, options=Options(seed=card.seed))
        cards.append(draw_answer(picture, card.text, answer, regions=card.regions))
        sys.stdout.write(f"{card.picture}: {card.text} → {answer.text}\n")
    contact_sheet(cards, columns=3).quantize(256).save(PAGE, optimize=True)
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
