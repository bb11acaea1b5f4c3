"""How often the judge is right: on real renders, and on wrong ones that differ in one thing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.edit import EditedTruth
from visionllm.data.world.judging.verdicts import edit_done, shows
from visionllm.data.world.judging.wishes import neighbours, read_wish
from visionllm.data.world.splits import Dice
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.types import PictureTruth


@dataclass
class Rates:
    """How many pictures of one sort were judged, and how many rightly."""

    judged: int = 0
    right: int = 0
    missed: list[int] = field(default_factory=list)

    def add(self, good: bool, seed: int) -> None:
        """Count one verdict about the picture of a seed."""
        self.judged += 1
        self.right += good
        if not good:
            self.missed.append(seed)

    @property
    def share(self) -> float:
        """Share of right verdicts, in [0, 1]; 1 where nothing was judged."""
        return self.right / self.judged if self.judged else 1.0


def judge_drawing(seeds: Iterable[int], split: str = "test") -> dict[str, Rates]:
    """Judge real renders of prompts, and the same renders against prompts that differ in one thing.

    Args:
        seeds: Seeds of the pictures; each is asked about in one prompt of every family that it offers.
        split: One of `SPLITS`.

    Returns:
        Rates by family for accepting what is right ("draw-one"), by change for refusing what is wrong ("wrong colour"),
        and by ground ("plain", "gradient") for both.
    """
    rates: dict[str, Rates] = {}
    names = [name for name, family in families_of(2).items() if family.group == "draw"]
    for seed in seeds:
        picture = draw_picture(seed, split=split, version=2, theme="studio")
        ground = picture.scene.background
        for name in names:
            sample = make_sample(picture, name, seed)
            truth = None if sample is None else sample.truth["generation"]
            if not isinstance(truth, PictureTruth):
                continue
            wish = read_wish(truth.caption)
            dice = Dice(np.random.default_rng(seed))
            verdicts = {name: shows(truth.pixels, wish)}
            others = neighbours(wish, dice)
            verdicts |= {f"wrong {change}": not shows(truth.pixels, other) for change, other in others.items()}
            for key, good in verdicts.items():
                rates.setdefault(key, Rates()).add(good, seed)
                rates.setdefault(ground, Rates()).add(good, seed)
    return rates


def judge_editing(seeds: Iterable[int], split: str = "test") -> dict[str, Rates]:
    """Judge right edits, and two wrong ones: nothing done, and another edit of the same picture.

    What should be there is known from the drawing, not seen by the judge itself.

    Args:
        seeds: Seeds of the pictures.
        split: One of `SPLITS`.

    Returns:
        Rates by family for accepting ("edit-move"), and for refusing ("nothing done", "another edit").
    """
    rates: dict[str, Rates] = {}
    names = [name for name, family in families_of(2).items() if family.group == "edit"]
    for seed in seeds:
        picture = draw_picture(seed, split=split, version=2, theme="studio")
        done: list[tuple[str, EditedTruth]] = []
        for name in names:
            sample = make_sample(picture, name, seed)
            truth = None if sample is None else sample.truth.get("editing")
            if isinstance(truth, EditedTruth):
                done.append((name, truth))
        for index, (name, truth) in enumerate(done):
            before = picture.pixels
            wanted, things = truth.pixels, truth.things
            rates.setdefault(name, Rates()).add(edit_done(wanted, before, wanted, things), seed)
            rates.setdefault("nothing done", Rates()).add(not edit_done(before, before, wanted, things), seed)
            other = done[index - 1][1]
            if not (other.pixels == wanted).all():
                wrong = edit_done(other.pixels, before, wanted, things)
                rates.setdefault("another edit", Rates()).add(not wrong, seed)
    return rates
