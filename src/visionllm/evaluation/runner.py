"""Asking the questions of many benchmarks in good batches, every question once."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isabstract
from itertools import groupby
from pkgutil import iter_modules
from typing import Any

import visionllm.evaluation
from visionllm.evaluation.base import Benchmark, Call, Predictor, Question, call_all

Progress = Callable[[int, int], None]
"""Is told how many pictures were gone through so far, and how many questions were answered about them."""


def find_benchmarks() -> Mapping[str, type[Benchmark]]:
    """Return all benchmarks by name: those of this package, then those of the entry point `visionllm.benchmarks`.

    Raises:
        ValueError: If two share a name.
    """
    modules = [import_module(f"visionllm.evaluation.{m.name}") for m in iter_modules(visionllm.evaluation.__path__)]
    ours = [benchmark for module in modules for benchmark in _benchmarks_of(module)]
    theirs = [entry.load() for entry in entry_points(group="visionllm.benchmarks")]
    found: dict[str, type[Benchmark]] = {}
    for benchmark in (*ours, *theirs):
        if benchmark.name in found:
            known = found[benchmark.name].__module__
            raise ValueError(f"expected one benchmark {benchmark.name!r}, got {known} and {benchmark.__module__}")
        found[benchmark.name] = benchmark
    return found


def _benchmarks_of(module: Any) -> list[type[Benchmark]]:
    defined = [v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__]
    return [v for v in defined if issubclass(v, Benchmark) and not isabstract(v)]


def run_benchmarks(
    model: Predictor, benchmarks: Sequence[Benchmark], *, batch_size: int = 16, progress: Progress | None = None
) -> None:
    """Ask everything that the benchmarks want to know, and let them judge the results.

    Questions about `batch_size` pictures at a time are put into batches of one sort each, so that the answers of a
    batch are about equally long.

    Args:
        model: The predictor.
        benchmarks: Each is asked for its questions once.
        batch_size: Requests that go through the model at once.
        progress: Is told how far it is.

    Raises:
        ValueError: If the batch size is not positive, or the predictor returns too few or too many results.
    """
    if batch_size < 1:
        raise ValueError(f"expected a positive batch size, got {batch_size}")
    streams = [_signed(benchmark) for benchmark in benchmarks]
    merged = heapq.merge(*streams, key=lambda signed: signed[1].picture)
    done = 0
    for number, window in groupby(merged, key=lambda signed: signed[1].picture // batch_size):
        sorts: dict[str, dict[tuple[int, int], list[tuple[Benchmark, Question]]]] = {}
        for benchmark, question in window:
            same = sorts.setdefault(question.sort, {}).setdefault((question.picture, question.number), [])
            same.append((benchmark, question))
        for sort in sorts.values():
            askers = list(sort.values())
            for start in range(0, len(askers), batch_size):
                _ask(model, askers[start : start + batch_size])
            done += len(askers)
        if progress is not None:
            progress((number + 1) * batch_size, done)


def _signed(benchmark: Benchmark) -> Iterator[tuple[Benchmark, Question]]:
    for question in benchmark.requests():
        yield benchmark, question


def _ask(model: Predictor, askers: Sequence[Sequence[tuple[Benchmark, Question]]]) -> None:
    calls: list[Call] = [same[0][1].call for same in askers]
    results = call_all(model, calls, batch_size=len(calls))
    if len(results) != len(calls):
        raise ValueError(f"expected {len(calls)} results, one per question, got {len(results)}")
    for same, result in zip(askers, results, strict=True):
        for benchmark, question in same:
            benchmark.update(question.truth, result)
