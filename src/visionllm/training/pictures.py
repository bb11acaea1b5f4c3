"""The pictures that a stage learns from: of version 1, or of both versions in given shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from visionllm.data.world import draw_picture
from visionllm.data.world.scene import WorldPicture

FIRST = "version 1"


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Draws the pictures of a stage.

    Attributes:
        seed: Index of the first picture in the training split, in units of 10⁸.
        photos: Draw on photo backgrounds too.
        themes: Relative weight of `FIRST`, which stands for pictures of version 1, and of themes of version 2; empty
            draws version 1 only.
    """

    seed: int
    photos: bool = True
    themes: Mapping[str, float] = field(default_factory=dict)

    def first(self, index: int, count: int) -> int:
        """Return the number of the first of `count` pictures of step `index`."""
        return self.seed * 10**8 + index * count

    def draw(self, number: int, split: str = "train") -> WorldPicture:
        """Draw one picture; its number decides the theme."""
        theme = self.theme(number)
        if theme == FIRST:
            return draw_picture(number, split=split, photos=self.photos)
        return draw_picture(number, split=split, photos=self.photos, version=2, theme=theme)

    def theme(self, number: int) -> str:
        """Return the theme of a picture, or `FIRST`."""
        if not self.themes:
            return FIRST
        weights = np.array(list(self.themes.values()), np.float64)
        rng = np.random.default_rng([2, self.seed, number])
        return str(rng.choice(list(self.themes), p=weights / weights.sum()))
