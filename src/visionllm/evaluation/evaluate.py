"""Evaluating a model on the picture world: all of it, or a small part beside training."""

import time
from collections.abc import Sequence

from visionllm.data.world.splits import VERSIONS
from visionllm.data.world.tasks import ALL_FAMILIES
from visionllm.evaluation.base import Predictor
from visionllm.evaluation.coco import library
from visionllm.evaluation.report import Report
from visionllm.evaluation.runner import Progress, find_benchmarks, run_benchmarks
from visionllm.evaluation.world import Mode, WorldBenchmark, WorldSetting


def world_benchmarks(version: int | None = None) -> dict[str, type[WorldBenchmark]]:
    """Return the benchmarks of the picture world by group, in the order of its families, then those that span them.

    Args:
        version: Version of the world; None means all.
    """
    order = dict.fromkeys(family.group for family in ALL_FAMILIES.values())
    every = {b.group: b for b in find_benchmarks().values() if issubclass(b, WorldBenchmark)}
    found = {group: b for group, b in every.items() if version in (None, b.version)}
    return {group: found[group] for group in (*order, *found) if group in found}


def chosen_benchmarks(groups: Sequence[str] = (), version: int | None = None) -> list[type[WorldBenchmark]]:
    """Return the benchmarks of some groups, which know their version.

    Args:
        groups: What to choose; if none is named, all of the version.
        version: Version of the world that the groups must be of; None means either, and version 1 where no group is
            named.

    Raises:
        ValueError: If the version or a group is unknown.
    """
    if version not in (None, *VERSIONS):
        raise ValueError(f"expected one of the versions {', '.join(map(str, VERSIONS))}, got {version}")
    found = world_benchmarks(version if groups or version is not None else 1)
    unknown = [g for g in groups if g not in found]
    if unknown:
        raise ValueError(f"expected groups out of {', '.join(sorted(found))}, got {', '.join(unknown)}")
    return [benchmark for group, benchmark in found.items() if not groups or group in groups]


def missing_decoders(model: Predictor, benchmark: type[WorldBenchmark]) -> str:
    """Return why a benchmark cannot be run with a model, in words; nothing if it can."""
    missing = [name for name in benchmark.needs if name not in model.decoders]
    return f"the model has no decoder for {' and '.join(missing)}" if missing else ""


def evaluate_world(
    model: Predictor,
    *,
    groups: Sequence[str] = (),
    version: int | None = None,
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
        groups: What to score; none means all of the version. What needs a decoder that the model does not have is
            skipped, and the report says so.
        version: Version of the world; None means version 1, or whatever version the named groups are of.
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
        ValueError: If the version, a group, the split or the mode is unknown, or a number is out of its range.
    """
    setting = WorldSetting(split=split, seed=seed, pictures=pictures, mode=mode, threshold=threshold, draws=draws)
    return evaluate_setting(model, setting, groups=groups, version=version, batch_size=batch_size, progress=progress)


def evaluate_setting(
    model: Predictor,
    setting: WorldSetting,
    *,
    groups: Sequence[str] = (),
    version: int | None = None,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> Report:
    """Score a model on the pictures of a setting; see `evaluate_world`.

    Raises:
        ValueError: If the version or a group is unknown, or the batch size is not positive.
    """
    kinds = chosen_benchmarks(groups, version)
    skipped = {kind.group: why for kind in kinds if (why := missing_decoders(model, kind))}
    benchmarks = [kind(setting) for kind in kinds if kind.group not in skipped]
    started = time.perf_counter()
    run_benchmarks(model, benchmarks, batch_size=batch_size, progress=progress)
    scores = {family: some for benchmark in benchmarks for family, some in benchmark.compute().items()}
    return Report(
        split=setting.split,
        seed=setting.seed,
        pictures=setting.pictures,
        seconds=time.perf_counter() - started,
        library=library(),
        scores=scores,
        skipped=skipped,
    )


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
