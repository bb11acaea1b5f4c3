"""Two models on the same questions: how their scores differ, with paired confidence intervals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from visionllm.evaluation.intervals import Score
from visionllm.evaluation.report import Report, write_plain
from visionllm.evaluation.targets import WANTED

# Shown although nobody has set a bound for it.
_SHOWN = (("refer", "p50_known"), ("refer", "refusal_known"), ("segment-instances", "mask_ap_free"))
_ASIDE = ("majority", "margin", "weakest_margin", "questions")


class Comparison:
    """The scores of two models that were asked the same questions about the same pictures.

    A difference is the first model's score minus the second's. Its interval is paired: on every draw of the pictures
    both models are scored on the same pictures, so that what is hard for both does not widen it.

    Args:
        reports: Two, by the names of the models.

    Raises:
        ValueError: If there are not two reports, or they are about different pictures.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 16 (percentile interval of a
    difference).
    """

    def __init__(self, reports: Mapping[str, Report]) -> None:
        if len(reports) != 2:
            raise ValueError(f"expected the reports of two models, got {len(reports)}")
        self.names = tuple(reports)
        self.first, self.second = reports.values()
        asked = [(r.split, r.seed, r.pictures) for r in reports.values()]
        if asked[0] != asked[1]:
            raise ValueError(f"expected reports about the same pictures, got (split, seed, pictures) {asked}")

    def differences(self) -> dict[str, dict[str, Score]]:
        """Return the differences of all scores that both have, by name, by family."""
        found: dict[str, dict[str, Score]] = {}
        for family, scores in self.first.scores.items():
            for name, one in scores.items():
                other = self.second.scores.get(family, {}).get(name)
                if other is not None and name not in _ASIDE:
                    found.setdefault(family, {})[name] = difference(one, other)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: both reports and the differences."""
        differences = {
            family: {name: {"difference": s.value, "low": s.low, "high": s.high} for name, s in scores.items()}
            for family, scores in self.differences().items()
        }
        reports = dict(zip(self.names, (self.first.to_dict(), self.second.to_dict()), strict=True))
        return {"models": list(self.names), "reports": reports, "differences": differences}

    def write(self, path: Path) -> None:
        """Write everything as JSON; never half a file.

        Raises:
            OSError: If the folder is not there or may not be written.
        """
        write_plain(self.to_dict(), path)

    def table(self) -> Table:
        """Return the scores that have a bound and what stands beside them, with their differences, as a table."""
        reasons = [item for report in (self.first, self.second) for item in report.skipped.items()]
        skipped = [f"{group} was skipped: {why}." for group, why in reasons]
        title = f"{self.first.split}, seed {self.first.seed}, {self.first.pictures} pictures a family"
        table = Table(title=title, caption="\n".join(dict.fromkeys(skipped)) or None)
        for name in ("family", "score"):
            table.add_column(name, no_wrap=True)
        for name in (*self.names, "difference"):
            table.add_column(name, justify="right")
        for family, scores in self.differences().items():
            rows = [name for name in scores if _shown(family, name)]
            for row, name in enumerate(rows):
                values = [_number(r.scores[family][name].value) for r in (self.first, self.second)]
                shown = "" if row else family
                table.add_row(shown, name, *values, _told(scores[name]), end_section=row == len(rows) - 1)
        return table


def difference(one: Score, other: Score) -> Score:
    """Return how much one score is above another, with a paired interval; not defined where one of them is not.

    >>> ones = Score(value=0.75, samples=np.array([0.5, 1.0]))
    >>> difference(ones, Score(value=0.5, samples=np.array([0.25, 0.75])))
    Score(value=0.25, low=0.25, high=0.25)
    """
    if one.value is None or other.value is None:
        return Score(value=None)
    value = one.value - other.value
    if one.samples is None or other.samples is None:
        return Score(value=value)
    samples = one.samples - other.samples
    if np.isnan(samples).all():
        return Score(value=value)
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return Score(value=value, low=float(low), high=float(high), samples=samples)


def _shown(family: str, name: str) -> bool:
    stem = name.removesuffix("_known").removesuffix("_free")
    wanted = any((t.family, t.score) == (family, stem) for t in WANTED)
    return wanted or name == "exact" or (family, name) in _SHOWN


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _told(score: Score) -> str:
    """Write a difference with its interval; green or red where the interval lies on one side of zero."""
    if score.value is None:
        return "–"
    text = f"{score.value:+.3f}"
    if score.low is None or score.high is None:
        return text
    colour = "green" if score.low > 0 else "red" if score.high < 0 else "dim"
    return f"[{colour}]{text} ({score.low:+.3f} to {score.high:+.3f})[/{colour}]"
