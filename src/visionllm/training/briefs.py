"""A stand-in for the language model while the painter learns: what a picture should show, or an edit should do.

Published diffusion models come pretrained with a text encoder. The embedded ones learn from `BriefEncoder`, which knows
only the words of the world; later the mapped slots of the language model learn to say the same.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from visionllm.data.world.families.edit import EDITS, TONES, EditedTruth
from visionllm.data.world.judging.wishes import Wish, read_wish
from visionllm.data.world.positions import DIRECTIONS
from visionllm.data.world.scene import FILLS
from visionllm.data.world.words import fill_adjective
from visionllm.training.readings import ALL_COLOURS, THINGS
from visionllm.types import PictureTruth, Sample

Brief = tuple[tuple[str, ...], ...]
"""The words of each state that the U-Net reads; the words of one state have no order."""

_OPPOSITES = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
_PLACES = (
    "top left corner", "top right corner", "bottom left corner", "bottom right corner", "left", "right", "top",
    "bottom", "leftmost", "rightmost", "topmost", "lowest",
)  # fmt: skip
_TOLD = ("the", "value", "a", "place")
WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        (*THINGS, *ALL_COLOURS, *map(fill_adjective, FILLS), *DIRECTIONS, *_PLACES, *TONES, *EDITS, "the", "a", "value")
    )
)
"""All words of briefs."""
_LONGEST = max(word.count(" ") for word in WORDS) + 1


def known_words(text: str) -> tuple[str, ...]:
    """Return the words of briefs in a text, the longest first where one begins another.

    >>> known_words("a red star left of the house")
    ('red', 'star', 'left of', 'house')
    """
    words, found, place = text.lower().split(), [], 0
    while place < len(words):
        for length in range(_LONGEST, 0, -1):
            word = " ".join(words[place : place + length])
            if word in WORDS and word not in ("the", "a"):
                found.append(word)
                place += length - 1
                break
        place += 1
    return tuple(found)


def brief_of_wish(wish: Wish) -> Brief:
    """Return one state a thing, in the order of the wish.

    >>> brief_of_wish(read_wish("two red stars and a fish"))
    (('star', 'red'), ('star', 'red'), ('fish',))
    """
    states = []
    directions = [wish.relation, _OPPOSITES[wish.relation]] if wish.relation else []
    for number, item in enumerate(wish.wanted):
        phrase = item.phrase
        fill = None if phrase.fill is None else fill_adjective(phrase.fill)
        words = [word for word in (phrase.kind, phrase.colour, fill) if word] + directions[number : number + 1]
        states += [tuple(words)] * item.count
    return tuple(states)


def brief_of_edit(told: Mapping[str, str]) -> Brief:
    """Return the sort of the edit, then what changes, into what, and where; what is not told is empty.

    >>> brief_of_edit({"edit": "recolour", "the": "the star", "value": "blue"})
    (('recolour',), ('star',), ('blue',), (), ())
    """
    return ((told["edit"],), *(known_words(told.get(name, "")) for name in _TOLD))


def brief_of(sample: Sample) -> Brief | None:
    """Return the brief of a sample whose answer makes a picture, or None."""
    drawn, edited = sample.truth.get("generation"), sample.truth.get("editing")
    if isinstance(drawn, PictureTruth):
        return brief_of_wish(read_wish(drawn.caption))
    return brief_of_edit(edited.told) if isinstance(edited, EditedTruth) else None


def brief_codes(briefs: Sequence[Brief], states: int, words: int = 8) -> Tensor:
    """Return int[M, states, words]: for each state 1 + the number of each of its words, 0 where there is none.

    Raises:
        ValueError: If a brief has more states, or a state more words, than there is room for.
    """
    codes = torch.zeros(len(briefs), states, words, dtype=torch.int64)
    for row, brief in enumerate(briefs):
        if len(brief) > states or max(map(len, brief), default=0) > words:
            raise ValueError(f"expected at most {states} states of {words} words, got {brief}")
        for column, said in enumerate(brief):
            codes[row, column, : len(said)] = torch.tensor([WORDS.index(word) + 1 for word in said], dtype=torch.int64)
    return codes


class BriefEncoder(nn.Module):
    """Codes of briefs → what the U-Net reads.

    Args:
        states: Number of states.
        width: Of a state.
    """

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS) + 1, width, padding_idx=0)
        self.places = nn.Parameter(nn.init.normal_(torch.empty(states, width), std=0.5))
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Return float[M, states, width] for codes int[M, states, words]."""
        said = self.words(codes).sum(2) + self.places
        return said + self.mix(said)

    def spread(self) -> Tensor:
        """Return float[width], how much states differ by the words they say: the variance of each channel."""
        return self.words.weight[1:].detach().var(0)
