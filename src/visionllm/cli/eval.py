"""`visionllm eval`: the scores of a model."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from visionllm.evaluation import Predictor, Report, WorldSetting

app = typer.Typer(help="Score a model.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Score a model."""


@app.command()
def world(
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="Task groups: talk, region, detect, segment, refer, point, routing, together. All by default."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Split of the pictures; several, with commas, are compared with test.")
    ] = "test",
    seed: Annotated[int, typer.Option(help="Each seed has pictures of its own.")] = 0,
    pictures: Annotated[int, typer.Option(help="Pictures a task family.")] = 500,
    mode: Annotated[
        Literal["free", "known", "both"], typer.Option(help="Free answers, known classes, or both.")
    ] = "both",
    json: Annotated[Path | None, typer.Option(help="Write the scores to this file.")] = None,
    model: Annotated[str | None, typer.Option(help="Folder of a model; the embedded one by default.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Lowest score of what counts as found; the model's own by default.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Requests that go through the model at once.")] = 16,
) -> None:
    """Score a model on freshly drawn pictures of the picture world.

    Free answers and known classes stand side by side, with 95 % confidence intervals, and with what the embedded model
    must reach. Examples:

    visionllm eval world

    visionllm eval world --group talk,refer --pictures 100 --seed 3

    visionllm eval world --group talk,detect --split unseen-pairs,hand-drawn --json scores.json
    """
    from rich.console import Console

    from visionllm.evaluation import WorldSetting, chosen_benchmarks, relative_table, score_table, write_json
    from visionllm.predictor import VisionLLM

    groups, splits = _listed(group or []), _listed([split]) or [split]
    chosen_benchmarks(groups)
    if len(splits) > 1 and "test" not in splits:
        splits = ["test", *splits]
    settings = [WorldSetting(split=s, seed=seed, pictures=pictures, mode=mode, threshold=threshold) for s in splits]
    if json is not None and not json.absolute().parent.is_dir():
        raise ValueError(f"expected a folder for {json.name}, got {json.absolute().parent}, which is not there")
    predictor = VisionLLM.load(model, device=device)
    reports = [_scored(predictor, setting, groups, batch_size) for setting in settings]
    console = Console()
    for report in reports:
        console.print(score_table(report))
    if len(reports) > 1:
        console.print(relative_table(reports))
    if json is not None:
        write_json(reports, json)


def _listed(values: Iterable[str]) -> list[str]:
    """Take values apart that are joined by commas; each is kept once."""
    return list(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


def _scored(predictor: "Predictor", setting: "WorldSetting", groups: list[str], batch_size: int) -> "Report":
    """Score one split with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from visionllm.evaluation import evaluate_world

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(setting.split, total=setting.pictures)

        def advance(pictures: int, questions: int) -> None:
            shown = f"{setting.split}, {questions} questions"
            bar.update(task, completed=min(pictures, setting.pictures), description=shown)

        return evaluate_world(
            predictor,
            groups=groups,
            split=setting.split,
            seed=setting.seed,
            pictures=setting.pictures,
            mode=setting.mode,
            threshold=setting.threshold,
            batch_size=batch_size,
            progress=advance,
        )
