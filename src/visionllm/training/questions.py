"""What a step asks: pictures of either version of the world, and questions about each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from visionllm.data.world import draw_picture
from visionllm.data.world.scene import Scene, WorldPicture
from visionllm.data.world.tasks import ALL_FAMILIES, make_sample
from visionllm.training.augment import varied
from visionllm.types import Sample

Row = tuple[WorldPicture, list[Sample]]
"""A picture with questions that stand in one row of a batch."""

_GUESTS: Mapping[str, Callable[[Scene], bool]] = MappingProxyType(
    {
        "mixed": lambda scene: bool(scene.things),
        "figures": lambda scene: bool(scene.figures),
        "signs": lambda scene: bool(scene.signs),
    }
)
"""Themes that show the same sorts of things: families of one ask about the others, where what they are for is there."""
_GUEST_SHARE = 0.25  # of a family's weight, away from its own theme; more would crowd out a theme of few families


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Pictures of one version and theme, and the families that are made for them, each with its weight."""

    version: int
    theme: str
    families: Mapping[str, float]

    @property
    def weight(self) -> float:
        return sum(self.families.values())

    def draw(self, number: int, split: str, *, photos: bool) -> WorldPicture:
        """Draw a picture. Those of the studio have one size: a decoder makes pictures of one size from a batch."""
        if self.version == 1:
            return draw_picture(number, split=split, photos=photos)
        vary_size = False if self.theme == "studio" else None
        return draw_picture(number, split=split, photos=photos, version=2, theme=self.theme, vary_size=vary_size)


class Questions:
    """Draws the pictures of a step, and questions about each.

    A picture is of the version and the theme that the weights of their families give; it is asked about by these
    families, and now and then by those of similar themes where it shows what they are for.

    Args:
        mixture: Relative weight of each task family, of either version.
        pictures: Pictures a step.
        questions: Questions about each picture.
        seed: Index of the first picture in the split, in units of 10⁸.
        photos: Draw on photo backgrounds too.

    Raises:
        ValueError: If the mixture names an unknown family, or no family has a weight.
    """

    def __init__(
        self, mixture: Mapping[str, float], *, pictures: int, questions: int, seed: int, photos: bool = True
    ) -> None:
        unknown = sorted(set(mixture) - set(ALL_FAMILIES))
        if unknown:
            raise ValueError(f"expected task families among {', '.join(ALL_FAMILIES)}, got {', '.join(unknown)}")
        self.pictures, self.questions, self.seed, self.photos = pictures, questions, seed, photos
        grouped: dict[tuple[int, str], dict[str, float]] = {}
        for name, weight in mixture.items():
            family = ALL_FAMILIES[name]
            grouped.setdefault((family.version, family.theme), {})[name] = weight
        plans = [_Plan(version=v, theme=t, families=families) for (v, t), families in grouped.items()]
        self.plans = [plan for plan in plans if plan.weight > 0]
        if not self.plans:
            raise ValueError(f"expected a task family with a weight above 0, got {dict(mixture)}")
        self.shares = _shares([plan.weight for plan in self.plans])

    @property
    def versions(self) -> tuple[int, ...]:
        """Versions of the world that the pictures are of."""
        return tuple(sorted({plan.version for plan in self.plans}))

    def rows(self, index: int, *, split: str = "train") -> list[Row]:
        """Return the rows of step `index`; a row shares its picture, or has none.

        Questions without a picture stand apart, and so does each that brings further pictures, as examples.
        """
        first = self.seed * 10**8 + index * self.pictures
        rng = np.random.default_rng([self.seed, index])
        rows: list[Row] = []
        for number in range(first, first + self.pictures):
            plan = self.plans[0 if len(self.plans) == 1 else int(rng.choice(len(self.plans), p=self.shares))]
            picture = plan.draw(number, split, photos=self.photos)
            if split == "train":
                picture = varied(picture, rng)
            weights = self._families(plan, picture.scene)
            names = rng.choice(list(weights), size=self.questions, p=_shares(list(weights.values()))).tolist()
            drawn = [make_sample(picture, name, int(rng.integers(2**31))) for name in names]
            rows += [(picture, group) for group in _grouped([sample for sample in drawn if sample is not None])]
        return rows

    def _families(self, plan: _Plan, scene: Scene) -> Mapping[str, float]:
        """Return the families that ask about a picture."""
        found = dict(plan.families)
        if plan.version == 2 and plan.theme in _GUESTS:
            for other in self.plans:
                if other.version == 2 and other is not plan and other.theme in _GUESTS and _GUESTS[other.theme](scene):
                    found |= {name: _GUEST_SHARE * weight for name, weight in other.families.items()}
        return found


def _shares(weights: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    whole = np.array(weights, np.float64)
    return whole / whole.sum()


def _grouped(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Return the samples that share the one picture, those without any, and each with several pictures by itself."""
    seen = [sample for sample in samples if len(sample.request.pictures) == 1]
    unseen = [sample for sample in samples if not sample.request.pictures]
    several = [[sample] for sample in samples if len(sample.request.pictures) > 1]
    return [group for group in (seen, unseen, *several) if group]
