"""The engine under load: many jobs at once against one at a time, and one picture asked often against many pictures."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

from material import CLASSES, pictures, require_same_answers, require_same_detections, talkative
from measuring import Measurement, speedup
from visionllm import Answer, Detections, Options, Request, VisionLLM, ask
from visionllm.engine import Engine, Finished, Job, Perception, TextPiece
from visionllm.types import Result

NAME = "serve"
CONCURRENT = 16
ASKED = 8
_TENANTS = count()
"""Every round is somebody else's, so that nothing which an earlier round left in the caches helps it."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came of a job: its result, and the seconds to the first piece of text (or to the end) and to the end."""

    result: Answer | Result
    first: float
    end: float


def measure(concurrent: int = CONCURRENT, asked: int = ASKED, pairs: int = 5) -> list[Measurement]:
    """Measure ratios of throughput, and what single jobs feel of the load."""
    model = VisionLLM.load()
    texts = talkative(model, concurrent)
    mixed = _mixture(texts)
    with Engine(model) as engine:
        text, mixture = (
            speedup(
                lambda jobs=jobs: [answer for job in jobs for answer in _answers(engine, [job])],
                lambda jobs=jobs: _answers(engine, jobs),
                require_same=require_same_results,
                pairs=pairs,
            )
            for jobs in (texts, mixed)
        )
        alone = [heard.end for job in mixed for heard in listen(engine, [job])]
        loaded = listen(engine, mixed)
        waiting = max(heard.first for heard in listen(engine, texts))
        same = _same_picture(engine, asked, pairs)
    tail = sorted(heard.end for heard in loaded)[max(0, round(0.95 * len(loaded)) - 1)]
    at_once = f"{concurrent} at once"
    return [
        Measurement(name=f"{at_once}, 20 tokens", value=text, unit="x", at_least=2.5),
        Measurement(name=f"{at_once}, mixed", value=mixture, unit="x", at_least=1.5),
        Measurement(
            name=f"{at_once}, mixed, p95 latency over the mean alone",
            value=tail / (sum(alone) / len(alone)),
            unit="x",
            at_most=12,
        ),
        Measurement(name=f"{at_once}, first piece of text", value=waiting, unit="s", at_most=1.5),
        Measurement(name=f"one picture {asked} times against {asked} pictures", value=same, unit="x", at_least=1.3),
    ]


def listen(engine: Engine, jobs: Sequence[Job]) -> list[Heard]:
    """Submit jobs at once and follow them all."""
    tenant = str(next(_TENANTS))

    async def follow(job: Job) -> Heard:
        start = time.perf_counter()
        first = None
        async for event in engine.submit(job, tenant=tenant):
            now = time.perf_counter() - start
            if isinstance(event, TextPiece) and first is None:
                first = now
            if isinstance(event, Finished):
                return Heard(result=event.result, first=now if first is None else first, end=now)
        raise ValueError("expected a job that finishes, got one that failed")

    async def follow_all() -> list[Heard]:
        return await asyncio.gather(*(follow(job) for job in jobs))

    return asyncio.run(follow_all())


def _mixture(texts: Sequence[Request]) -> list[Job]:
    """Return half text, a quarter answers that route something, a quarter tasks with known classes."""
    jobs: list[Job] = list(texts[: -(-len(texts) // 2)])
    for number, picture in enumerate(islice(pictures(), len(texts) - len(jobs))):
        if number % 2:
            jobs.append(Perception(task="detect", image=picture, names=CLASSES))
        else:
            jobs.append(ask(f"Detect every {CLASSES[number % len(CLASSES)]}.", picture))
    return jobs


def _answers(engine: Engine, jobs: Sequence[Job]) -> list[Answer | Result]:
    """Return the results of jobs that are submitted at once."""
    tenant = str(next(_TENANTS))
    return [ticket.result() for ticket in [engine.submit(job, tenant=tenant) for job in jobs]]


def _same_picture(engine: Engine, asked: int, pairs: int) -> float:
    """Return how much faster questions about one picture are answered than the same ones about as many pictures."""
    drawn = list(islice(pictures(), asked))
    options = Options(max_new_tokens=4)
    many = [ask(f"Is there a {CLASSES[i % len(CLASSES)]}?", drawn[i], options=options) for i in range(asked)]
    one = [ask(f"Is there a {CLASSES[i % len(CLASSES)]}?", drawn[0], options=options) for i in range(asked)]
    return speedup(
        lambda: _answers(engine, many),
        lambda: _answers(engine, one),
        require_same=lambda *_: None,  # they are different questions
        pairs=pairs,
    )


def require_same_results(one: Sequence[Answer | Result], other: Sequence[Answer | Result]) -> None:
    """Compare answers and detections.

    Raises:
        ValueError: If they differ.
    """
    for a, b in zip(one, other, strict=True):
        if isinstance(a, Answer) and isinstance(b, Answer):
            require_same_answers([a], [b])
        else:
            require_same_detections(a if isinstance(a, Detections) else None, b if isinstance(b, Detections) else None)
