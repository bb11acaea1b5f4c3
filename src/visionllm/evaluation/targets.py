"""The scores that the embedded model must reach, as the picture world states them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """A bound of one score.

    Attributes:
        family: As in a report.
        score: Name of the score, without the mode.
        bound: What it must reach.
        at_most: Whether the score must stay below the bound rather than reach it.
    """

    family: str
    score: str
    bound: float
    at_most: bool = False

    def met(self, value: float | None) -> bool:
        """Return whether a value is good enough; one that is not defined is not.

        >>> Target(family="talk", score="exact", bound=0.75).met(0.8)
        True
        """
        if value is None:
            return False
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:.2f}"


FIRST: tuple[Target, ...] = (
    Target(family="talk", score="exact", bound=0.75),
    Target(family="talk", score="weakest_margin", bound=0.10),
    Target(family="caption", score="f1", bound=0.65),
    Target(family="region-recognition", score="exact", bound=0.85),
    Target(family="region-caption", score="exact", bound=0.70),
    Target(family="detect", score="box_ap", bound=0.60),
    Target(family="detect", score="box_ap50", bound=0.80),
    Target(family="detect", score="mask_ap", bound=0.55),
    Target(family="attribute", score="box_ap", bound=0.50),
    Target(family="absent", score="false_positives", bound=0.30, at_most=True),
    Target(family="refer", score="p50", bound=0.65),
    Target(family="refer", score="ciou", bound=0.55),
    Target(family="refer", score="refusal", bound=0.60),
    Target(family="point", score="miou_point", bound=0.60),
    Target(family="point", score="miou_scribble", bound=0.65),
    Target(family="point", score="miou_box", bound=0.75),
    Target(family="point", score="miou_mask", bound=0.75),
    Target(family="routing", score="right", bound=0.98),
)
