"""Evaluating a model on the picture world: all of it, or a small part beside training."""

import time
from collections.abc import Sequence

from visionllm.data.world.tasks import FAMILIES
from visionllm.evaluation.base import Predictor
from visionllm.evaluation.coco import library
from visionllm.evaluation.report import Report
from visionllm.evaluation.runner import Progress, find_benchmarks, run_benchmarks
from visionllm.evaluation.world import Mode, WorldBenchmark, WorldSetting


def world_benchmarks() -> dict[str, type[WorldBenchmark]]:
    """Return the benchmarks of the picture world by group, in the order of its families, then those that span them."""
    order = dict.fromkeys(family.group for family in FAMILIES.values())
    found = {b.group: b for b in find_benchmarks().values() if issubclass(b, WorldBenchmark)}
    return {group: found[group] for group in (*order, *found) if group in found}


def chosen_benchmarks(groups: Sequence[str]) -> list[type[WorldBenchmark]]:
    """Return the benchmarks of some groups of task families; of all of them if none is named.

    Raises:
        ValueError: If a group is unknown.
    """
    found = world_benchmarks()
    unknown = [g for g in groups if g not in found]
    if unknown:
        raise ValueError(f"expected groups out of {', '.join(sorted(found))}, got {', '.join(unknown)}")
    return [benchmark for group, benchmark in found.items() if not groups or group in groups]


def evaluate_world(
    model: Predictor,
    *,
    groups: Sequence[str] = (),
    split: str = "test",
    seed: int = 0,
    pictures: int = 500,
    mode: Mode = "both",
    threshold: float | None = None,
    draws: int = 200,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> Report:
    """Score a model on freshly drawn pictures of the world.

    Args:
        model: The predictor, as users call it.
        groups: Groups of task families; none means all.
        split: Split of the pictures.
        seed: Each seed has pictures of its own, in [0, 10**4).
        pictures: Pictures a family.
        mode: Free answers, known classes, or both side by side.
        threshold: Lowest score of an instance that counts as found; None takes the model's own. Average precision with
            known classes keeps every score.
        draws: Draws of the confidence intervals; 0 leaves them out.
        batch_size: Requests that go through the model at once.
        progress: Is told how far it is.

    Raises:
        ValueError: If a group, the split or the mode is unknown, or a number is out of its range.
    """
    kinds = chosen_benchmarks(groups)
    setting = WorldSetting(split=split, seed=seed, pictures=pictures, mode=mode, threshold=threshold, draws=draws)
    benchmarks = [kind(setting) for kind in kinds]
    started = time.perf_counter()
    run_benchmarks(model, benchmarks, batch_size=batch_size, progress=progress)
    scores = {family: some for benchmark in benchmarks for family, some in benchmark.compute().items()}
    seconds = time.perf_counter() - started
    return Report(split=split, seed=seed, pictures=pictures, seconds=seconds, library=library(), scores=scores)


def evaluate_quick(
    model: Predictor,
    *,
    groups: Sequence[str] = (),
    pictures: int = 48,
    seed: int = 0,
    mode: Mode = "both",
    batch_size: int = 16,
) -> dict[str, float]:
    """Score a model on few pictures of the validation split, without intervals, as a callback of training does.

    Returns:
        The scores that are defined, under `family/score`.

    Raises:
        ValueError: As `evaluate_world`.
    """
    report = evaluate_world(
        model,
        groups=groups,
        split="validation",
        seed=seed,
        pictures=pictures,
        mode=mode,
        draws=0,
        batch_size=batch_size,
    )
    return report.flat()
