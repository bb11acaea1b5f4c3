"""An engine that needs no model: the same answer to the same job, with delays that a test chooses."""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from visionllm.engine.errors import (
    Cancelled,
    ContextLengthExceeded,
    DeadlinePassed,
    Draining,
    EngineDied,
    EngineError,
    JobFailed,
    NotFinite,
    QueueFull,
)
from visionllm.engine.events import Event, Failed, Finished, Found, Progress, TextPiece
from visionllm.engine.jobs import Creation, Job, Perception
from visionllm.types import Answer, Detections, GeneratedImages, Poses, Request, Result, Routed, SemanticMap

CONTEXT = 200
NAME = "stub"


def words_in(request: Request) -> int:
    """Return what the stub takes for the number of tokens."""
    return sum(len(message.text.split()) for message in request.messages)


class StubTicket:
    """Events of a job, for any number of readers."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.events: list[Event] = []
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def push(self, event: Event) -> None:
        """Add an event; nothing comes after the last one."""
        with self._lock:
            if not self.ended.is_set():
                self.events.append(event)
                if isinstance(event, Finished | Failed):
                    self.ended.set()

    end = push

    @property
    def done(self) -> bool:
        """Whether the last event is there."""
        return self.ended.is_set()

    def cancel(self) -> None:
        """Give the job up."""
        self.push(Failed(Cancelled("the job was cancelled")))

    async def __aiter__(self) -> AsyncIterator[Event]:
        for index in itertools.count():
            while index >= len(self.events):
                await asyncio.sleep(0.002)
            yield self.events[index]
            if isinstance(self.events[index], Finished | Failed):
                return

    async def wait(self) -> Answer | Result:
        """Return the result, or raise what went wrong."""
        while not self.ended.is_set():
            await asyncio.sleep(0.002)
        last = self.events[-1]
        if isinstance(last, Failed):
            raise last.error
        assert isinstance(last, Finished)
        return last.result


@dataclass(eq=False)
class StubEngine:
    """One thread that gives every running job a step in turn.

    Attributes:
        max_queue: Jobs that may wait.
        max_running: Jobs that are worked on at once.
        step_s: Seconds a round of steps takes.
        answer: Yields the events of a job; None takes those of this module.
        ticket: Makes the ticket of a job.
    """

    max_queue: int = 64
    max_running: int = 16
    step_s: float = 0.0
    answer: Callable[[Any], Iterator[Event]] | None = None
    ticket: Callable[[str], Any] = StubTicket
    jobs: list[Job] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    steps: int = 0

    def __post_init__(self) -> None:
        self._waiting: deque[tuple[Any, Iterator[Event], float]] = deque()
        self._running: list[tuple[Any, Iterator[Event], float]] = []
        self._lock = threading.Lock()
        self._alive, self._draining = True, False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, job: Job, *, tenant: str = "", deadline_s: float | None = None) -> Any:
        """Take on a job."""
        if not self._alive:
            raise EngineDied("dead")
        if self._draining:
            raise Draining("draining")
        if isinstance(job, Request) and words_in(job) > CONTEXT:
            raise ContextLengthExceeded(words_in(job), CONTEXT)
        if isinstance(job, Request) and job.messages[-1].role != "user":
            raise ValueError(f"expected the last message from the user, got one from the {job.messages[-1].role}")
        with self._lock:
            if len(self._waiting) >= self.max_queue:
                raise QueueFull(7)
            self.jobs.append(job)
            self.tenants.append(tenant)
            ticket = self.ticket(f"job-{len(self.jobs)}")
            end = time.monotonic() + (120 if deadline_s is None else deadline_s)
            self._waiting.append((ticket, (self.answer or events_of)(job), end))
        return ticket

    def drain(self, timeout_s: float) -> None:
        """Take nothing new, and wait for what runs."""
        self._draining = True
        end = time.monotonic() + timeout_s
        while self._alive and (self._running or self._waiting) and time.monotonic() < end:
            time.sleep(0.005)

    def stop(self) -> None:
        """Let everything fail."""
        self._alive = False
        with self._lock:
            for ticket, _, _ in (*self._waiting, *self._running):
                ticket.end(Failed(EngineDied("stopped")))

    @property
    def status(self) -> Any:
        """How it is."""
        with self._lock:
            return SimpleNamespace(
                alive=self._alive,
                draining=self._draining,
                queued=len(self._waiting),
                running=len(self._running),
                free_blocks=self.max_running - len(self._running),
                total_blocks=self.max_running,
                counters={"jobs": len(self.jobs)},
            )

    def _work(self) -> None:
        while self._alive:
            with self._lock:
                while self._waiting and len(self._running) < self.max_running:
                    self._running.append(self._waiting.popleft())
                running = list(self._running)
            if not running:
                time.sleep(0.001)
                continue
            time.sleep(self.step_s)
            self.steps += 1
            for ticket, events, end in running:
                if time.monotonic() > end:
                    ticket.end(Failed(DeadlinePassed("late")))
                elif not ticket.done:
                    event = next(events)
                    (ticket.end if isinstance(event, Finished | Failed) else ticket.push)(event)
            with self._lock:
                self._running = [row for row in self._running if not row[0].done]


def events_of(job: Job) -> Iterator[Event]:
    """Yield what happens to a job."""
    if isinstance(job, Perception):
        yield Finished(_perceived(job))
    elif isinstance(job, Creation):
        yield Progress(1, 2)
        yield Finished(_made(job))
    else:
        yield from _answered(job)


def _answered(request: Request) -> Iterator[Event]:
    text = request.messages[-1].text
    command, _, rest = text.partition(" ")
    if command == "fail":
        try:
            raise ZeroDivisionError(f"secret {rest}")
        except ZeroDivisionError as cause:
            error: EngineError = JobFailed("the model could not finish the job")
            error.__cause__ = cause
        yield Failed(error)
    elif command == "nan":
        yield Failed(NotFinite("NaN in logits"))
    elif command == "nanbox":
        yield Finished(Answer(text="", detections=detections(score=float("nan"))))
    elif command == "break":
        yield TextPiece("It begins")
        yield Failed(JobFailed("the model could not finish the job"))
    elif command == "count":
        yield from (TextPiece(f"{number} ") for number in range(int(rest)))
        yield Finished(Answer(text="".join(f"{number} " for number in range(int(rest))), tokens=int(rest)))
    elif command == "find":
        first, second = "Here is the star.", " It is red."
        span = (12, 16)
        yield TextPiece(first)
        yield Found(detections(span=span), span)
        yield TextPiece(second)
        parts = ("Here is the ", Routed("star", "[DET]", True), ".", second)
        yield Finished(Answer(text=first + second, parts=parts, detections=detections(span=span), tokens=9))
    else:
        options = request.options
        said = rest if command == "echo" else f"seed {options.seed} temperature {options.temperature:g}"
        for letter in said[:2], said[2:]:
            yield TextPiece(letter)
        yield Finished(Answer(text=said, tokens=len(said.split()), notices=("a stub",)))


def detections(
    *, size_hw: tuple[int, int] = (40, 60), score: float = 0.75, span: tuple[int, int] | None = None, masks: bool = True
) -> Detections:
    """Return one star in the upper left quarter."""
    height, width = size_hw
    mask = np.zeros((1, height, width), dtype=bool)
    mask[0, : height // 2, : width // 2] = True
    return Detections(
        boxes=np.array([[0, 0, width // 2, height // 2]], dtype=np.float32),
        scores=np.array([score], dtype=np.float32),
        class_ids=np.zeros(1, dtype=np.int64),
        masks=mask if masks else None,
        size_hw=size_hw,
        class_names=("star",),
        routes=("[DET]",),
        spans=() if span is None else (span,),
    )


def _perceived(job: Perception) -> Result:
    size_hw = (job.image.height, job.image.width)
    if job.task == "semantic":
        return SemanticMap(
            class_ids=np.zeros(size_hw, dtype=np.int64),
            scores=np.ones(size_hw, dtype=np.float32),
            class_names=job.names,
        )
    if job.task == "pose":
        return Poses(
            boxes=np.array([[1, 2, 3, 4]], dtype=np.float32),
            scores=np.array([0.5], dtype=np.float32),
            class_ids=np.zeros(1, dtype=np.int64),
            keypoints=np.array([[[2, 3]]], dtype=np.float32),
            keypoint_scores=np.array([[0.25]], dtype=np.float32),
            size_hw=size_hw,
            class_names=job.names,
            keypoint_names=(job.keypoints or ("nose",))[:1],
        )
    return detections(size_hw=size_hw, masks=job.options.masks and job.task != "detect")


def _made(job: Creation) -> GeneratedImages:
    height, width = job.options.size_hw or (8, 8)
    pixels = np.full((height, width, 3), job.options.seed % 256, dtype=np.uint8)
    original = None if job.image is None else (job.image.height, job.image.width)
    return GeneratedImages(pictures=(pixels,), seeds=(job.options.seed,), original_hw=original)
