"""`visionllm train`: run the recipe of the embedded model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm.cli.output import print_notices

if TYPE_CHECKING:
    from visionllm.training.expert import Judge
    from visionllm.types import Detections, DetectionTruth

app = typer.Typer(no_args_is_help=True, help="Train a model by its recipe.")


def _judge() -> "Judge":
    from visionllm.data.world.scene import KINDS
    from visionllm.evaluation.coco import CocoScorer

    def judge(truths: "Sequence[DetectionTruth]", results: "Sequence[Detections]") -> Mapping[str, float]:
        scorer = CocoScorer(len(KINDS), len(truths), masks=True)
        for picture, (truth, found) in enumerate(zip(truths, results, strict=True)):
            scorer.add(picture, truth, found)
        boxes, masks = scorer.matches("bbox"), scorer.matches("segm")
        return {"box AP": boxes.ap, "box AP50": boxes.ap50, "mask AP": masks.ap}

    return judge


@app.callback()
def _main() -> None:
    """Train a model by its recipe, stage by stage; a run that was cut off goes on where it stopped."""


@app.command(
    epilog="Examples:  visionllm train tiny --plan   ·   visionllm train tiny --out runs/tiny --stage tower --threads 2"
)
def tiny(
    out: Annotated[
        Path, typer.Option(help="Folder of the run: a sub-folder a stage, with checkpoints, logs and result.")
    ] = Path("runs/tiny"),
    stage: Annotated[list[str] | None, typer.Option(help="Run this stage only (again to run several).")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the arithmetic.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw pictures ahead.")] = 1,
    score_every: Annotated[int, typer.Option(min=0, help="Measure the validation split every so many steps.")] = 500,
    save_seconds: Annotated[float, typer.Option(min=1, help="Seconds between checkpoints.")] = 300,
    stop_at: Annotated[int | None, typer.Option(min=1, help="Stop the stage after this step; go on later.")] = None,
    photos: Annotated[bool, typer.Option(help="Draw on photo backgrounds too (needs scikit-image).")] = True,
    plan: Annotated[bool, typer.Option("--plan", help="Show the stages and stop.")] = False,
) -> None:
    """Train the embedded model from nothing: tower, detector, language, then all together."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from visionllm.recipes.tiny import RECIPE
    from visionllm.training.recipe import RecipeRun
    from visionllm.training.trainer import RunOptions

    console = Console(stderr=True)
    if plan:
        table = Table("stage", "objective", "steps", "pictures a step", "takes over", title="visionllm train tiny")
        for value in (*RECIPE.stages, *RECIPE.asked):
            taken = ", ".join(f"{part} from {source}" for part, source in value.start.items())
            asked = " (if named)" if value in RECIPE.asked else ""
            table.add_row(value.name + asked, value.objective, str(value.steps), str(value.pictures), taken)
        Console().print(table)
        return
    torch.set_num_threads(threads)

    def show(name: str, step: int, scores: Mapping[str, float]) -> None:
        console.print(f"{name} {step}: " + " · ".join(f"{key} {value:.3f}" for key, value in scores.items()))

    options = RunOptions(
        folder=out, workers=workers, score_every=score_every, save_seconds=save_seconds, stop_at=stop_at,
        quiet=not console.is_terminal,
    )  # fmt: skip
    RecipeRun(RECIPE, out, options, photos=photos, judge=_judge()).run(stage, on_scores=show)


@app.command(epilog="Example:  visionllm train export runs/tiny my-model --stage chat")
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    to: Annotated[
        Path | None, typer.Argument(help="Folder of the model; an older one of that name is replaced.")
    ] = None,
    stage: Annotated[str, typer.Option(help="The stage whose result is wanted.")] = "decoders",
    adapters: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the stage's adapters alone into this folder.")
    ] = None,
) -> None:
    """Write the model of a finished stage as a folder that `--model` takes, in half precision, with adapters merged.

    With --adapters, what the stage's adapters learned is written alone, for the model that the stage began with.
    """
    if to is None and adapters is None:
        raise ValueError("expected the folder of the model, or --adapters FOLDER, got neither")
    from visionllm.recipes.tiny import RECIPE
    from visionllm.training.recipe import RecipeRun
    from visionllm.training.trainer import RunOptions

    finished = RecipeRun(RECIPE, run, RunOptions(folder=run))
    if to is not None:
        finished.export(stage, to)
        print(to)
    if adapters is not None:
        finished.export_adapters(stage, adapters)
        print(adapters)
        if others := RECIPE.stage(stage).beside_adapters:
            print_notices([f"what else the stage trained is in the whole model only: {', '.join(others)}"])


@app.command(epilog="Then go on:  visionllm train tiny --out runs/more --stage decoders")
def adopt(
    model: Annotated[Path, typer.Argument(help="Folder of a model that the recipe made.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run that goes on from it.")],
    stage: Annotated[str, typer.Option(help="The stage whose result it stands for.")] = "together",
    new_words: Annotated[
        bool, typer.Option("--new-words", help="Train the recipe's tokenizer and carry the words over to it.")
    ] = False,
) -> None:
    """Go on from a model folder, such as the embedded one, instead of from nothing."""
    from visionllm.recipes.tiny import RECIPE
    from visionllm.training.recipe import RecipeRun
    from visionllm.training.trainer import RunOptions

    RecipeRun(RECIPE, run, RunOptions(folder=run)).adopt(model, stage, new_words=new_words)
    print(run / stage / "result")
