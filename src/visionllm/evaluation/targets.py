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


RELATIVE = 0.85
"""What talk and box AP of a special split or another domain must reach, as a share of those of the test split."""

WANTED: tuple[Target, ...] = (
    Target(family="talk", score="exact", bound=0.85),
    Target(family="talk", score="weakest_margin", bound=0.20),
    Target(family="caption", score="f1", bound=0.75),
    Target(family="region-recognition", score="exact", bound=0.92),
    Target(family="region-caption", score="exact", bound=0.80),
    Target(family="detect", score="box_ap", bound=0.68),
    Target(family="detect", score="box_ap50", bound=0.88),
    Target(family="detect", score="mask_ap", bound=0.62),
    Target(family="attribute", score="box_ap", bound=0.60),
    Target(family="absent", score="false_positives", bound=0.15, at_most=True),
    Target(family="refer", score="p50", bound=0.78),
    Target(family="refer", score="ciou", bound=0.70),
    Target(family="refer", score="refusal", bound=0.75),
    Target(family="point", score="miou_point", bound=0.70),
    Target(family="point", score="miou_scribble", bound=0.75),
    Target(family="point", score="miou_box", bound=0.82),
    Target(family="point", score="miou_mask", bound=0.82),
    Target(family="routing", score="right", bound=0.99),
    Target(family="grounded-caption", score="both", bound=0.60),
    Target(family="detect-and-describe", score="both", bound=0.60),
    Target(family="multi-turn with boxes", score="both", bound=0.60),
    # Version 2.
    Target(family="pose-person", score="oks_ap", bound=0.60),
    Target(family="pose-animals", score="oks_ap", bound=0.50),
    Target(family="pose", score="pck", bound=0.85),
    Target(family="segment-semantic", score="miou", bound=0.65),
    Target(family="segment-salient", score="s_measure", bound=0.85),
    Target(family="segment-salient", score="mae", bound=0.05, at_most=True),
    Target(family="segment-camouflaged", score="s_measure", bound=0.75),
    Target(family="draw", score="kind_and_colour", bound=0.60),
    Target(family="draw", score="count_and_relation", bound=0.35),
    Target(family="edit", score="done", bound=0.55),
    Target(family="edit", score="psnr_outside", bound=24.00),
    Target(family="example-name", score="exact", bound=0.70),
    Target(family="example-mark", score="miou", bound=0.50),
    Target(family="read-sign", score="exact", bound=0.60),
    Target(family="aerial", score="talk_relative", bound=0.85),
    Target(family="aerial", score="box_ap_relative", bound=0.85),
    Target(family="scan", score="talk_relative", bound=0.85),
    Target(family="scan", score="box_ap_relative", bound=0.85),
    Target(family="workpiece", score="talk_relative", bound=0.85),
    Target(family="workpiece", score="box_ap_relative", bound=0.85),
    Target(family="routing-2", score="right", bound=0.99),
)
"""What the embedded model must reach with all its decoders, in both versions of the world."""
