"""`visionllm eval`: the scores of a model, or of two models side by side."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from visionllm.cli.loading import loads_a_model
from visionllm.cli.options import load
from visionllm.cli.watching import watched

if TYPE_CHECKING:
    from visionllm.evaluation import Predictor, Report, WorldSetting

Groups = Annotated[
    list[str] | None,
    typer.Option(
        help="Groups. Version 1: talk, region, detect, segment, refer, point, routing, together. "
        "Version 2: pose, whole, read, example, draw, edit, ceiling, domain, routing-2. By default all of one."
    ),
]
Spread = Annotated[
    int, typer.Option(help="A family asks about every so many-th picture: few questions about many pictures.")
]

app = typer.Typer(help="Score a model.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Score a model."""


@app.command()
@loads_a_model
def world(
    group: Groups = None,
    version: Annotated[
        int | None, typer.Option(help="Version of the picture world; 1 by default, or what the groups are of.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="Split of the pictures; several, with commas, are compared with test.")
    ] = "test",
    seed: Annotated[int, typer.Option(help="Each seed has pictures of its own.")] = 0,
    pictures: Annotated[int, typer.Option(help="Pictures a task family.")] = 500,
    spread: Spread = 1,
    mode: Annotated[
        Literal["free", "known", "both"], typer.Option(help="Free answers, known classes, or both.")
    ] = "both",
    json: Annotated[Path | None, typer.Option(help="Write the scores to this file.")] = None,
    model: Annotated[str | None, typer.Option(help="Folder of a model; the embedded one by default.")] = None,
    compare: Annotated[
        str | None, typer.Option(help="Folder of another model that is asked the same; shows the differences.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Lowest score of what counts as found; the model's own by default.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps from noise to a picture, for draw and edit; the model's own by default.")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Scheduler of those steps; the model's own by default.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Requests that go through the model at once.")] = 16,
) -> None:
    """Score a model on freshly drawn pictures of the picture world.

    Free answers and known classes stand side by side, with 95 % confidence intervals, and with what the embedded model
    must reach. Version 1 is the yardstick that never changes; version 2 has people, animals, signs, other domains,
    questions by example, and pictures to draw and edit. Groups that the model has no decoder for are skipped with a
    notice. Examples:

    visionllm eval world

    visionllm eval world --group talk,refer --pictures 100 --seed 3

    visionllm eval world --group talk,detect --split unseen-pairs,hand-drawn --json scores.json

    visionllm eval world --version 2

    visionllm eval world --group draw,edit,ceiling --steps 8 --pictures 100

    visionllm eval world --model new --compare old --pictures 150 --spread 8 --json differences.json
    """
    from visionllm.evaluation import WorldSetting, chosen_benchmarks

    groups, splits = _listed(group or []), _listed([split]) or [split]
    chosen_benchmarks(groups, version)
    if compare is not None and len(splits) > 1:
        raise ValueError(f"expected one split when two models are compared, got {', '.join(splits)}")
    if len(splits) > 1 and "test" not in splits:
        splits = ["test", *splits]
    settings = [
        WorldSetting(
            split=name,
            seed=seed,
            pictures=pictures,
            spread=spread,
            mode=mode,
            threshold=threshold,
            steps=steps,
            scheduler=scheduler,
        )
        for name in splits
    ]
    _check_place(json)
    if compare is None:
        _score(load(model, device), settings, groups, version, batch_size, json)
    else:
        models: dict[str, Predictor] = {
            name: load(folder, device) for name, folder in ((str(model or "tiny"), model), (compare, compare))
        }
        _compare(models, settings[0], groups, version, batch_size, json)


EXPERT_GROUPS = ("detect", "domain", "pose", "draw", "edit")


@app.command()
@loads_a_model
def experts(
    run: Annotated[Path, typer.Argument(help="Folder of a training run with results of experts.")],
    group: Annotated[
        list[str] | None, typer.Option(help=f"Groups among {', '.join(EXPERT_GROUPS)}; by default all of them.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the pictures.")] = "test",
    seed: Annotated[int, typer.Option(help="Each seed has pictures of its own.")] = 0,
    pictures: Annotated[int, typer.Option(help="Pictures a task family.")] = 60,
    model: Annotated[str | None, typer.Option(help="Folder of a model; the embedded one by default.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write both reports and the differences to this file.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Requests that go through the model at once.")] = 16,
) -> None:
    """Compare a model with the experts that its decoders came from, on the same pictures, in known-class mode.

    An expert is a decoder alone, as it was before the language model asked it: it is told what is wanted by the
    generator, without words. What the model lacks to an expert is what it loses by understanding words, and by one
    set of weights for everything. Examples:

    visionllm eval experts runs/tiny --pictures 60 --seed 1

    visionllm eval experts runs/tiny --group pose --json experts.json
    """
    from visionllm.evaluation import WorldSetting
    from visionllm.evaluation.world import families_of
    from visionllm.recipes.tiny import RECIPE
    from visionllm.training.experts import Experts, briefs_by_words
    from visionllm.training.recipe import RecipeRun
    from visionllm.training.trainer import RunOptions

    groups = _listed(group or EXPERT_GROUPS)
    unknown = [name for name in groups if name not in EXPERT_GROUPS]
    if unknown:
        raise ValueError(f"expected groups among {', '.join(EXPERT_GROUPS)}, got {', '.join(unknown)}")
    _check_place(json)
    setting = WorldSetting(split=split, seed=seed, pictures=pictures, mode="known")
    families = families_of("edit", version=2) if "edit" in groups else ()
    edits = [sample for name in families for _, sample in setting.samples(name)]
    found = Experts.of(RecipeRun(RECIPE, run, RunOptions(folder=run)), briefs_by_words(edits))
    _compare({"model": load(model, device), "experts": found}, setting, groups, None, batch_size, json)


def _check_place(json: Path | None) -> None:
    if json is not None and not json.absolute().parent.is_dir():
        raise ValueError(f"expected a folder for {json.name}, got {json.absolute().parent}, which is not there")


def _listed(values: Iterable[str]) -> list[str]:
    """Take values apart that are joined by commas; each is kept once."""
    return list(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


def _score(
    predictor: "Predictor",
    settings: "list[WorldSetting]",
    groups: list[str],
    version: int | None,
    batch_size: int,
    json: Path | None,
) -> None:
    """Print the scores of one model, split by split."""
    from rich.console import Console

    from visionllm.evaluation import relative_table, score_table, write_json

    reports = [_scored(predictor, setting, setting.split, groups, version, batch_size) for setting in settings]
    console = Console()
    for report in reports:
        console.print(score_table(report))
    if len(reports) > 1:
        console.print(relative_table(reports))
    if json is not None:
        write_json(reports, json)


def _compare(
    models: "dict[str, Predictor]",
    setting: "WorldSetting",
    groups: list[str],
    version: int | None,
    batch_size: int,
    json: Path | None,
) -> None:
    """Print how the scores of two models differ."""
    from rich.console import Console

    from visionllm.evaluation import Comparison

    if len(models) != 2:
        raise ValueError(f"expected another model to compare with, got {next(iter(models))} twice")
    reports = {
        name: _scored(predictor, setting, name, groups, version, batch_size) for name, predictor in models.items()
    }
    comparison = Comparison(reports)
    Console().print(comparison.table())
    if json is not None:
        comparison.write(json)


def _scored(
    predictor: "Predictor",
    setting: "WorldSetting",
    title: str,
    groups: list[str],
    version: int | None,
    batch_size: int,
) -> "Report":
    """Score one model on one split with a progress bar on standard error."""
    from visionllm.evaluation import evaluate_setting

    with watched(title, setting.pictures * setting.spread) as advance:
        return evaluate_setting(
            predictor, setting, groups=groups, version=version, batch_size=batch_size, progress=advance
        )
