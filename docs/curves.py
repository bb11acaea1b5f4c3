"""Draws the losses and scores of a training run, stage by stage.

    python docs/curves.py runs/tiny        # reads the run's logs, keeps them in docs/curves.json, and draws
    python docs/curves.py                  # draws what docs/curves.json holds

The picture is docs/images/curves.png. Stages that the run does not have keep what the file knows of them.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

mpl.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).parent
KEPT, PICTURE = DOCS / "curves.json", DOCS / "images" / "curves.png"
MOST_POINTS = 120
MOST_LINES = 6
COLUMNS = 3
Series = Mapping[str, list[list[float]]]
"""Points (step, value) by name; `loss` is the sum of all terms."""


def read_stage(logs: Path) -> dict[str, list[list[float]]]:
    """Return the sum of the losses and every score that a stage's logs hold, in order of steps."""
    events = EventAccumulator(str(logs), size_guidance={"scalars": 0})
    events.Reload()
    series: dict[str, list[list[float]]] = {}
    total: dict[int, float] = {}
    for tag in events.Tags()["scalars"]:
        # a stage that was cut off repeats some steps when it goes on: the last word counts
        points = {event.step: event.value for event in events.Scalars(tag)}
        if tag.startswith("loss/"):
            for step, value in points.items():
                total[step] = total.get(step, 0.0) + value
        else:
            series[tag.removeprefix("score/")] = [[step, round(value, 4)] for step, value in sorted(points.items())]
    return {"loss": _averaged(sorted(total.items())), **series}


def _averaged(points: list[tuple[int, float]]) -> list[list[float]]:
    """Return means of neighbours, at most `MOST_POINTS` of them."""
    size = -(-len(points) // MOST_POINTS) or 1
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [[group[-1][0], round(sum(value for _, value in group) / len(group), 4)] for group in groups]


def draw(stages: Mapping[str, Series], path: Path) -> None:
    """Draw a panel a stage: the loss on the left axis, scores in [0, 1] on the right one."""
    rows = -(-len(stages) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(4.6 * COLUMNS, 3.0 * rows), squeeze=False)
    for axis in grid.flat[len(stages) :]:
        axis.axis("off")
    for axis, (name, series) in zip(grid.flat, stages.items(), strict=False):
        axis.set_title(name, fontsize=11, loc="left")
        axis.plot(*zip(*series["loss"], strict=True), color="0.55", linewidth=1.2)
        axis.set_yscale("log")
        axis.tick_params(labelsize=7)
        axis.set_xlabel("step", fontsize=8)
        scores = {label: points for label, points in series.items() if label != "loss" and len(points) > 1}
        shown = [label for label, points in scores.items() if all(0 <= value <= 1 for _, value in points)]
        if shown:
            right = axis.twinx()
            right.set_ylim(0, 1)
            right.tick_params(labelsize=7)
            for label in shown[:MOST_LINES]:
                right.plot(*zip(*scores[label], strict=True), linewidth=1.4, marker=".", markersize=4, label=label)
            right.legend(fontsize=6, loc="center right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Read a run, if one is named, and draw all that is known."""
    stages: dict[str, Series] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    for run in map(Path, sys.argv[1:]):
        for logs in sorted(run.glob("*/logs"), key=lambda path: path.stat().st_mtime):
            series = read_stage(logs)
            if series["loss"]:
                stages[logs.parent.name] = series
    KEPT.write_text(json.dumps(stages, separators=(",", ":")) + "\n", encoding="utf-8")
    draw(stages, PICTURE)
    sys.stdout.write(f"{PICTURE}: {', '.join(stages)}\n")


if __name__ == "__main__":
    main()
