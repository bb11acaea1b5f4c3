"""Faults that an engine survives: S16 to S20 of the list of faults."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.counts import count
from tests.engine.conftest import SMALL, Script, question_of
from tests.engine.helpers import counted, idle, until
from tests.engine.test_engine import ANY, LONG, SCRIPTS, mixed, require_same, tasks
from tests.predictor.test_core import PERSON, STAR, require_equal
from tests.small import picture, pictures, small_predictor
from visionllm.decoders.base import sampling
from visionllm.engine import (
    Creation,
    Engine,
    EngineDied,
    JobFailed,
    NotFinite,
    Perception,
    decoding,
)
from visionllm.engine.decoding import Decoding
from visionllm.engine.language import Language
from visionllm.engine.outcome import Outcome
from visionllm.engine.pictures import PictureKeys
from visionllm.engine.scheduler import Scheduler
from visionllm.predictor import VisionLLM
from visionllm.types import Answer, Detections, GeneratedImages, Options, Request, ask

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("one_core")]
POISON = "Poison."
Patch = pytest.MonkeyPatch


def _poisoned(request: Request) -> bool:
    return question_of(request) == POISON


@pytest.fixture
def poison_raises(monkeypatch: Patch) -> None:
    read = Language._pass

    def failing(self: Language, feeds: Sequence[Any]) -> Any:
        if any(_poisoned(feed.row.prompt.request) for feed in feeds):
            raise torch.OutOfMemoryError("no memory")
        return read(self, feeds)

    monkeypatch.setattr(Language, "_pass", failing)


@pytest.fixture
def poison_is_no_number(monkeypatch: Patch) -> None:
    embed = Language._embed

    def poisoned(self: Language, row: Any, encoded: Any) -> Outcome[Any]:
        feed = embed(self, row, encoded).value
        return Outcome(replace(feed, embeds=feed.embeds * (float("nan") if _poisoned(row.prompt.request) else 1.0)))

    monkeypatch.setattr(Language, "_embed", poisoned)


def neighbours(count: int = 5) -> list[Request]:
    return [
        ask("Talk.", image, options=Options(max_new_tokens=12, temperature=0.8, seed=seed))
        for seed, image in enumerate(pictures(count))
    ]


@pytest.mark.parametrize(("fault", "error"), [("poison_raises", JobFailed), ("poison_is_no_number", NotFinite)])
def test_s16_a_row_that_fails_leaves_the_tokens_of_its_neighbours_alone(
    engine: Engine, predictor: VisionLLM, request: pytest.FixtureRequest, fault: str, error: type[Exception]
):
    want = [predictor.answer([neighbour])[0] for neighbour in neighbours()]
    request.getfixturevalue(fault)
    requests = neighbours()
    bad = ask(POISON, picture(), options=Options(max_new_tokens=12))
    tickets = [engine.submit(job) for job in (*requests[:2], bad, *requests[2:], bad)]
    for place in (2, -1):
        with pytest.raises(error):
            tickets.pop(place).result(30)
    assert [ticket.result(30).text for ticket in tickets] == [answer.text for answer in want]  # pyright: ignore[reportAttributeAccessIssue]
    assert engine.submit(neighbours()[0]).result(30).text == want[0].text  # pyright: ignore[reportAttributeAccessIssue]
    assert until(lambda: idle(engine))


def test_s16_a_unit_that_fails_leaves_other_units_alone(
    engine: Engine, predictor: VisionLLM, script: Script, monkeypatch: Patch
):
    script({"Find both.": STAR, POISON: STAR})
    read = Decoding._read

    def failing(self: Decoding, works: Sequence[Any]) -> Any:
        if any(_poisoned(work.row.prompt.request) for work in works):
            raise RuntimeError("broken")
        return read(self, works)

    monkeypatch.setattr(Decoding, "_read", failing)
    good = [ask("Find both.", image, options=ANY) for image in pictures(3)]
    tickets = [engine.submit(job) for job in (good[0], ask(POISON, picture(), options=ANY), *good[1:])]
    failed = tickets.pop(1)
    with pytest.raises(JobFailed, match="the model could not finish the job") as failure:
        failed.result(30)
    assert str(failure.value.__cause__) == "broken"
    for ticket, job in zip(tickets, good, strict=True):
        answer = ticket.result(30)
        assert isinstance(answer, Answer)
        require_same(answer, predictor.answer([job])[0])
    assert counted(engine, "failed") == 1


def test_s16_a_picture_that_cannot_be_encoded_fails_its_own_job_only(
    engine: Engine, predictor: VisionLLM, monkeypatch: Patch
):
    encode = predictor.model.encode_pictures

    def failing(pixels: torch.Tensor, splits: torch.Tensor) -> Any:
        if bool((pixels[:, 0].flatten(1).std(1) < 1e-4).any()):
            raise RuntimeError("flat")
        return encode(pixels, splits)

    good = ask("Talk.", picture(), options=Options(max_new_tokens=5))
    want = predictor.answer([good])[0].text
    monkeypatch.setattr(predictor.model, "encode_pictures", failing)
    square = Image.new("RGB", (64, 64), (127, 127, 127))
    bad = engine.submit(ask("Talk.", square, options=Options(max_new_tokens=5)))
    fine = engine.submit(good)
    with pytest.raises(JobFailed):
        bad.result(30)
    assert fine.result(30).text == want  # pyright: ignore[reportAttributeAccessIssue]


class ThreadKilled(BaseException):
    """What no handler of the engine catches."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_s17_the_death_of_the_thread_fails_everything_within_a_second(predictor: VisionLLM, monkeypatch: Patch):
    engine = Engine(predictor, replace(SMALL, max_running=2)).start()
    step = Scheduler.step

    def dying(self: Scheduler) -> None:
        if self.counters["steps"] > 3:
            raise ThreadKilled
        step(self)

    monkeypatch.setattr(Scheduler, "step", dying)
    tickets = [engine.submit(LONG) for _ in range(5)]
    assert until(lambda: not engine.status.alive)
    died = time.monotonic()
    for ticket in tickets:
        with pytest.raises(EngineDied, match="the engine's thread ended"):
            ticket.result(1)
    assert time.monotonic() - died < 1
    with pytest.raises(EngineDied):
        engine.submit(LONG)
    engine.stop()


def test_s18_logits_that_are_no_numbers_fail_the_job_and_are_counted(engine: Engine, monkeypatch: Patch):
    logits = engine._language.model.logits
    monkeypatch.setattr(engine._language.model, "logits", lambda *given: logits(*given) * float("nan"))
    with pytest.raises(NotFinite, match="expected logits that are numbers"):
        engine.submit(ask("Talk.")).result(30)
    assert counted(engine, "not_finite") == 1


def test_s18_boxes_and_keypoints_that_are_no_numbers_fail_their_own_job(
    full_engine: Engine, script: Script, monkeypatch: Patch
):
    script({"Find both.": STAR, "Pose.": PERSON, POISON: STAR})
    joined = Decoding._joined

    def poisoned(self: Decoding, works: Sequence[Any]) -> Any:
        queries, images = joined(self, works)
        bad = torch.tensor([_poisoned(work.row.prompt.request) for work in works])
        return replace(queries, states=queries.states.masked_fill(bad[:, None, None, None], float("nan"))), images

    monkeypatch.setattr(Decoding, "_joined", poisoned)
    good, bad = ask("Find both.", picture(), options=ANY), ask(POISON, picture(seed=1), options=ANY)
    fine, failed = full_engine.submit(good), full_engine.submit(bad)
    with pytest.raises(NotFinite):
        failed.result(30)
    answer = fine.result(30)
    assert isinstance(answer, Answer) and answer.detections is not None
    assert np.isfinite(answer.detections.boxes).all() and np.isfinite(answer.detections.scores).all()
    assert counted(full_engine, "not_finite") == 1


def test_s18_pictures_that_are_no_numbers_fail_their_own_job(full_engine: Engine, monkeypatch: Patch):
    seen = sampling.look

    def poisoned(unet: Any, samplings: Sequence[Any]) -> list[torch.Tensor]:
        found = seen(unet, samplings)
        bad = [one.generators[0].initial_seed() == 9 for one in samplings]
        return [f * float("nan") if b else f for f, b in zip(found, bad, strict=True)]

    monkeypatch.setattr(decoding, "look", poisoned)
    failed = full_engine.submit(Creation(words="a star", options=Options(steps=2, seed=9)))
    fine = full_engine.submit(Creation(words="a star", options=Options(steps=2)))
    with pytest.raises(NotFinite, match="expected pictures that are numbers"):
        failed.result(30)
    assert isinstance(fine.result(30), GeneratedImages)


@pytest.fixture(scope="module")
def exact(full: VisionLLM) -> VisionLLM:
    return VisionLLM(full.model, full.processor, deterministic=True)


def test_s19_a_deterministic_model_gives_the_same_bits_alone_in_a_batch_and_after_others(
    exact: VisionLLM, script: Script
):
    script(SCRIPTS)
    with Engine(exact, SMALL) as engine:
        alone = [engine.submit(job).result(30) for job in mixed()]
        together = [ticket.result(30) for ticket in [engine.submit(job) for job in mixed()]]
        after = [ticket.result(30) for ticket in [engine.submit(job) for job in reversed(mixed())]][::-1]
    for job, *answers in zip(mixed(), alone, together, after, strict=True):
        (want,) = exact.answer([job])
        for answer in answers:
            assert isinstance(answer, Answer)
            require_same(answer, want)
            if want.detections is not None:
                require_equal(answer.detections, want.detections, exactly=True)
            for one, other in zip(answer.poses, want.poses, strict=True):
                np.testing.assert_array_equal(one.keypoints, other.keypoints)
            for one, other in zip(answer.pictures, want.pictures, strict=True):
                np.testing.assert_array_equal(one.pictures[0], other.pictures[0])


def test_s19_a_deterministic_model_does_tasks_bit_by_bit_as_alone(exact: VisionLLM):
    pairs = tasks()
    with Engine(exact, SMALL) as engine:
        tickets = {name: engine.submit(job) for name, (job, _) in pairs.items()}
        for name in ("detect", "draw"):
            found, want = tickets[name].result(30), pairs[name][1](exact)
            if isinstance(found, Detections):
                require_equal(found, want, exactly=True)
            else:
                np.testing.assert_array_equal(found.pictures[0], want.pictures[0])  # pyright: ignore[reportAttributeAccessIssue]


def test_s19_samples_depend_on_their_own_seed_only(engine: Engine):
    def said(*seeds: int) -> list[str]:
        tickets = [
            engine.submit(ask("Talk.", picture(), options=Options(max_new_tokens=10, temperature=1.0, seed=seed)))
            for seed in seeds
        ]
        return [ticket.result(30).text for ticket in tickets]  # pyright: ignore[reportAttributeAccessIssue]

    (alone,) = said(7)
    assert said(1, 7, 2, 7, 3)[1::2] == [alone, alone]
    assert len(set(said(1, 2, 3, 7))) == 4


def test_s19_slots_that_are_fed_as_one_chunk_take_as_many_draws_as_one_by_one(
    predictor: VisionLLM, full_engine: Engine, full: VisionLLM, monkeypatch: Patch
):
    route = full.model.config.token_ids["[GEN]"]
    logits = full.model.logits

    def eager(states: torch.Tensor, *kept: Any) -> torch.Tensor:
        scores = logits(states, *kept)
        scores[..., route] += 4.0
        return scores

    monkeypatch.setattr(full.model, "logits", eager)
    for seed in range(4):
        options = Options(max_new_tokens=6, temperature=1.0, seed=seed, steps=1)
        (want,) = full.answer([ask("Talk.", options=options)])
        got = full_engine.submit(ask("Talk.", options=options)).result(60)
        assert isinstance(got, Answer)
        require_same(got, want)


def test_s20_equal_bytes_of_other_shapes_modes_or_tenants_share_nothing():
    keys = PictureKeys(b"salt", "model")
    noise = np.random.default_rng(0)
    for _ in range(count("s20")):
        width, height = (int(side) for side in noise.integers(1, 9, 2))
        data = noise.integers(0, 256, width * height * 12, dtype=np.uint8).tobytes()
        shapes = {("RGB", 4 * width, height), ("RGB", width, 4 * height), ("RGBA", width, 3 * height)}
        shapes |= {("L", 12 * width, height), ("RGB", 2 * width, 2 * height), ("CMYK", 3 * width, height)}
        images = [Image.frombytes(mode, (w, h), data) for mode, w, h in shapes]
        names = [keys.picture(tenant, image) for tenant in ("", "a", "b") for image in images]
        assert len(set(names)) == len(names)
        assert keys.picture("a", images[0]) == keys.picture("a", images[0].copy())
        assert PictureKeys(b"other", "model").picture("a", images[0]) not in names
        assert PictureKeys(b"salt", "other").picture("a", images[0]) not in names


def test_s20_tenants_share_pictures_with_themselves_only(engine: Engine):
    options = Options(max_new_tokens=3)
    image = picture()
    turned = Image.frombytes("RGB", (image.height, image.width), image.tobytes())
    texts = {}
    for tenant, shown in (("a", image), ("b", image), ("a", turned)):
        texts[tenant, shown.size] = engine.submit(ask("Talk.", shown, options=options), tenant=tenant).result(30)
    assert (counted(engine, "image_misses"), counted(engine, "image_hits")) == (3, 0)
    assert counted(engine, "prefix_hits") == 0
    engine.submit(ask("Talk.", image.copy(), options=options), tenant="a").result(30)
    assert (counted(engine, "image_misses"), counted(engine, "image_hits")) == (3, 1)
    assert counted(engine, "prefix_hits") == 1


def test_s16_a_model_that_finds_nothing_at_all_is_no_fault(one_core: None):
    model = small_predictor()
    with Engine(model, SMALL) as engine:
        job = Perception(task="detect", image=picture(), names=("star",), options=Options(threshold=1.0))
        assert len(engine.submit(job).result(30)) == 0  # pyright: ignore[reportArgumentType]
