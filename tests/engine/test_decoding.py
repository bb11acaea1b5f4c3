"""Units of many jobs are read together, pictures are made together, and neither keeps text waiting."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.engine.conftest import SMALL, Bench, Script
from tests.engine.test_engine import ANY
from tests.predictor.test_core import require_equal
from tests.small import picture, pictures
from visionllm.decoders.base import sampling
from visionllm.engine import Creation, Engine, Perception, Progress, TextPiece, decoding
from visionllm.engine.decoding import Decoding
from visionllm.predictor import VisionLLM
from visionllm.types import Detections, Options, ask


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Collect units and pictures of every batch of a decoder."""
    seen: list[tuple[int, int]] = []
    joined = Decoding._joined

    def count(self: Decoding, works: Sequence[Any]) -> Any:
        queries, images = joined(self, works)
        seen.append((len(queries), len(images)))
        return queries, images

    monkeypatch.setattr(Decoding, "_joined", count)
    return seen


def test_units_of_several_jobs_are_read_together_and_each_picture_once(
    predictor: VisionLLM, batches: list[tuple[int, int]], one_core: None
):
    bench = Bench(predictor, replace(SMALL, prefix_cache_blocks=0))
    options = [Options(threshold=0, max_instances=3, seed=seed, max_new_tokens=9 + seed) for seed in range(3)]
    shown = [*pictures(2), pictures(2)[0]]
    calls: list[int] = []
    hook = predictor.model.decoder("detection").register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    works = [
        bench.admit(Perception(task="segment", image=image, names=("star",), options=wish))
        for image, wish in zip(shown, options, strict=True)
    ]
    bench.scheduler.step()
    hook.remove()
    assert batches == [(3, 2)]
    assert calls == [3], "seeds and lengths are nothing that a detector reads"
    for work, image, wish in zip(works, shown, options, strict=True):
        require_equal(work.ticket.result(0), predictor.segment(image, ["star"], options=wish))  # pyright: ignore[reportArgumentType]


def test_no_more_units_than_allowed_are_read_at_once(
    predictor: VisionLLM, one_core: None, batches: list[tuple[int, int]]
):
    names = ("star", "fish", "cup", "sun", "key", "boat", "tree", "car", "dog")
    bench = Bench(predictor, replace(SMALL, units_at_once=2, prefix_cache_blocks=0))
    options = Options(threshold=0, max_instances=5)
    work = bench.admit(Perception(task="detect", image=picture(), names=names, options=options))
    bench.scheduler.step()
    assert not work.ticket.done
    bench.scheduler.step()
    assert batches == [(2, 1), (1, 1)]
    found = work.ticket.result(0)
    assert isinstance(found, Detections) and len(found) == 5


def test_pictures_of_several_jobs_are_looked_at_together(full_engine: Engine, monkeypatch: pytest.MonkeyPatch):
    looked: list[int] = []

    def look(unet: Any, samplings: Sequence[Any]) -> Any:
        looked.append(len(samplings))
        return sampling.look(unet, samplings)

    monkeypatch.setattr(decoding, "look", look)
    jobs = [Creation(words=f"{n} stars", options=Options(steps=12 + n, seed=n)) for n in range(3)]
    for ticket in [full_engine.submit(job) for job in jobs]:
        ticket.result(30)
    assert max(looked) == 3 and looked[-1] == 1


def test_text_goes_on_while_a_picture_is_made(full_engine: Engine, script: Script):
    script({"Talk.": ("word " * 20,)})
    slow = full_engine.submit(Creation(words="a star", options=Options(steps=200)))
    events = iter(slow)
    assert isinstance(next(events), Progress)
    said = list(full_engine.submit(ask("Talk.", options=Options(max_new_tokens=20))))
    assert sum(isinstance(event, TextPiece) for event in said) >= 3
    assert not slow.done, "twenty tokens take less than two hundred steps"
    steps = full_engine._scheduler.counters["steps"]
    assert steps >= 10
    slow.cancel()


def test_a_picture_that_no_decoder_can_make_is_not_taken(full_engine: Engine):
    with pytest.raises(ValueError, match="expected a picture size of multiples of 2 pixels"):
        full_engine.submit(Creation(words="a star", options=Options(size_hw=(7, 7), steps=ANY.steps)))
