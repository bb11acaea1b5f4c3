"""What an evaluation found: plain data for machines, a table for people."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from visionllm.evaluation.base import Scores
from visionllm.evaluation.intervals import Score
from visionllm.evaluation.targets import RELATIVE, WANTED, Target

MODES = ("known", "free")
# Shown beside the score they explain, or not at all.
_ASIDE = ("majority", "margin", "questions")
# What a split's report is compared by: name, family and score.
_COMPARED = (("talk", "talk", "exact"), ("box AP", "detect", "box_ap_known"))


@dataclass(frozen=True, kw_only=True)
class Report:
    """The scores of one run.

    Attributes:
        split: Split of the pictures.
        seed: Seed of the pictures.
        pictures: Pictures a family.
        seconds: How long it took.
        library: What computed the average precision.
        scores: By name, by family. A name ends in `_known` or `_free` where both modes have the score.
        skipped: Why a group was left out, by group.
    """

    split: str
    seed: int
    pictures: int
    seconds: float
    library: str
    scores: Scores
    skipped: Mapping[str, str] = field(default_factory=dict)

    def value(self, family: str, score: str) -> float | None:
        """Return a score, or None if it is not there or not defined."""
        return self.scores.get(family, {}).get(score, Score(value=None)).value

    def flat(self) -> dict[str, float]:
        """Return every defined score under `family/score`."""
        return {f"{f}/{n}": s.value for f, some in self.scores.items() for n, s in some.items() if s.value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: scores by family, the ends of intervals as `…_low` and `…_high`, and how it was run."""
        plain: dict[str, Any] = {}
        for family, scores in self.scores.items():
            plain[family] = {}
            for name, score in scores.items():
                plain[family][name] = score.value
                if score.low is not None:
                    plain[family] |= {f"{name}_low": score.low, f"{name}_high": score.high}
        return plain | {
            "split": self.split,
            "seed": self.seed,
            "pictures": self.pictures,
            "seconds": round(self.seconds, 1),
            "library": self.library,
            **({"skipped": dict(self.skipped)} if self.skipped else {}),
        }


def relative_to_test(reports: Sequence[Report]) -> dict[str, dict[str, float | None]]:
    """Return talk and box AP of every report as shares of those of the test split, by split.

    Raises:
        ValueError: If no report is about the test split.
    """
    base = next((r for r in reports if r.split == "test"), None)
    if base is None:
        raise ValueError(f"expected a report about the split test, got {', '.join(r.split for r in reports) or 'none'}")
    shares: dict[str, dict[str, float | None]] = {}
    for report in reports:
        shares[report.split] = {}
        for name, family, score in _COMPARED:
            here, there = report.value(family, score), base.value(family, score)
            shares[report.split][name] = here / there if here is not None and there else None
    return shares


def write_json(reports: Sequence[Report], path: Path) -> None:
    """Write one report as plain data, or several by split with their scores relative to test; never half a file.

    Raises:
        OSError: If the folder is not there or may not be written.
    """
    if len(reports) == 1:
        plain = reports[0].to_dict()
    else:
        plain = {"splits": {r.split: r.to_dict() for r in reports}, "relative": relative_to_test(reports)}
    write_plain(plain, path)


def write_plain(plain: Mapping[str, Any], path: Path) -> None:
    """Write plain data as JSON; never half a file.

    Raises:
        OSError: If the folder is not there or may not be written.
    """
    text = json.dumps(plain, indent=2, allow_nan=False) + "\n"
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_text(text)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def score_table(report: Report) -> Table:
    """Return all scores as a table: both modes side by side, with intervals, and what must be reached.

    Columns in which nothing stands are left out.
    """
    how = f"seed {report.seed}, {report.pictures} pictures a family, {report.seconds:.0f} s, {report.library}"
    skipped = [f"{group} was skipped: {why}." for group, why in report.skipped.items()]
    table = Table(title=f"{report.split}, {how}", caption="\n".join(skipped) or None)
    groups = {family: _cells(family, scores) for family, scores in report.scores.items()}
    shown = [bool(any(column)) for column in zip(*(row for rows in groups.values() for row in rows), strict=True)]
    texts, numbers = ("family", "score"), ("known classes", "free", "commonest answer", "wanted")
    for name, is_shown in zip((*texts, *numbers), shown, strict=False):  # without a row nothing is shown
        if is_shown:
            table.add_column(name, justify="left" if name in texts else "right", no_wrap=True)
    for rows in groups.values():
        for number, row in enumerate(rows):
            cells = [cell for cell, is_shown in zip(row, shown, strict=True) if is_shown]
            table.add_row(*cells, end_section=number == len(rows) - 1)
    return table


def _cells(family: str, scores: Mapping[str, Score]) -> list[list[str]]:
    """Return the rows of a family; its name stands in the first."""
    rows = []
    for name, modes in _rows(scores).items():
        target = next((t for t in WANTED if (t.family, t.score) == (family, name)), None)
        commonest = _number(scores["majority"].value) if name == "exact" and "majority" in scores else ""
        cells = [_cell(modes.get(mode), target) for mode in MODES]
        rows.append(["" if rows else family, name, *cells, commonest, str(target or "")])
    return rows


def relative_table(reports: Sequence[Report]) -> Table:
    """Return talk and box AP of every split relative to test as a table."""
    table = Table(title=f"relative to test, wanted ≥ {RELATIVE:.2f}")
    table.add_column("split")
    for name, *_ in _COMPARED:
        table.add_column(name, justify="right")
    for split, shares in relative_to_test(reports).items():
        met = {name: "✓" if share is not None and share >= RELATIVE else "✗" for name, share in shares.items()}
        table.add_row(split, *(f"{_number(share)} {met[name]}" for name, share in shares.items()))
    return table


def _rows(scores: Mapping[str, Score]) -> dict[str, dict[str, Score]]:
    """Put the modes of one score side by side; a score without a mode was answered freely."""
    rows: dict[str, dict[str, Score]] = {}
    for name, score in scores.items():
        stem, _, mode = name.rpartition("_")
        stem, mode = (stem, mode) if mode in MODES else (name, "free")
        if stem not in _ASIDE:
            rows.setdefault(stem, {})[mode] = score
    return rows


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _cell(score: Score | None, target: Target | None) -> str:
    if score is None:
        return ""
    text = _number(score.value)
    if score.low is not None:
        text += f" [dim]({_number(score.low)} to {_number(score.high)})[/dim]"
    if target is not None:
        text += " [green]✓[/green]" if target.met(score.value) else " [red]✗[/red]"
    return text
