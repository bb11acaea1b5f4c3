"""The engine: many jobs on one model at once."""

import threading
import time
from collections import Counter, deque
from secrets import token_bytes
from types import TracebackType
from typing import Self

from visionllm.engine.config import EngineConfig, EngineStatus
from visionllm.engine.errors import Draining, EngineDied, QueueFull
from visionllm.engine.events import Failed, Finished
from visionllm.engine.intake import Intake, Work
from visionllm.engine.jobs import Job
from visionllm.engine.language import Language
from visionllm.engine.pictures import PictureKeys
from visionllm.engine.scheduler import Scheduler, count_end, overdue
from visionllm.engine.ticket import Ticket
from visionllm.predictor import VisionLLM, fingerprint

LONGEST_WAIT_S = 120
_NEWEST = 0.2
"""Weight of the newest job in the mean time between the ends of two jobs."""


class Engine:
    """Works on many jobs at once, in a thread of its own, in memory that is fixed from the start.

    Answers are those of the model's own methods; see `VisionLLM`. Nothing that one job does reaches another one.

    Args:
        model: The model; while the engine runs, nobody else should use it.
        config: Limits.

    Raises:
        ValueError: If the cache is smaller than a context.

    >>> Engine.__name__  # with Engine(VisionLLM.load()) as engine: engine.submit(ask("How many?", picture)).result()
    'Engine'
    """

    def __init__(self, model: VisionLLM, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.counters: Counter[str] = Counter()
        core = model.core
        self._language = Language(core.model, self.config, self.counters)
        salt = token_bytes(32) if self.config.salt is None else self.config.salt
        prepared = f"{fingerprint(core.model)} {core.model.dtype} {core.processor.config}"
        self._intake = Intake(core, PictureKeys(salt, prepared), batches=True)
        self._scheduler = Scheduler(core, self._language, self.config, self.counters, self._left)
        self._changed = threading.Condition()
        self._queue: deque[Work] = deque()
        self._open: dict[str, Ticket] = {}
        self._arriving = self._number = 0
        self._draining = self._stopping = self._ended = False
        self._job_seconds, self._last_end = 1.0, 0.0
        self._free = self._language.free_blocks
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Take the memory and start the thread.

        Raises:
            EngineDied: If it was started before.
        """
        if self._thread is not None:
            raise EngineDied("expected an engine that was not started, got one that was")
        self._intake.batches = self._language.warm_up()
        self._thread = threading.Thread(target=self._run, name="visionllm-engine", daemon=True)
        self._thread.start()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.drain()
        self.stop()

    def submit(self, job: Job, *, tenant: str = "", deadline_s: float | None = None) -> Ticket:
        """Take a job on; it is checked here, and worked on later.

        Args:
            job: What is wanted.
            tenant: Whose it is: nothing that is kept of one tenant's pictures serves another.
            deadline_s: Seconds that it may take, waiting included; None takes the engine's.

        Raises:
            ContextLengthExceeded: If the prompt, with the answer that may follow it, is longer than the context.
            Draining: If nothing new is taken.
            EngineDied: If the engine does not run.
            QueueFull: If too many jobs wait.
            ValueError: As the method of `VisionLLM` that does the same.
        """
        deadline = time.monotonic() + (self.config.deadline_s if deadline_s is None else deadline_s)
        with self._changed:
            self._check_open()
            self._arriving += 1
            self._number += 1
            ticket = Ticket(f"job-{self._number}", self.config.event_bytes, self._wake)
        work = None
        try:
            work = self._intake.take(job, tenant, ticket, deadline)
        finally:
            with self._changed:  # in one go: between seat and queue `drain` would not see the job
                self._arriving -= 1
                taken = work is not None and not (self._ended or self._stopping)
                if work is not None and taken:
                    self._queue.append(work)
                    self._open[ticket.id] = ticket
                    self.counters["submitted"] += 1
                self._changed.notify_all()
        if not taken:
            raise EngineDied("the engine stopped before it took the job")
        return ticket

    def drain(self, timeout_s: float | None = None) -> bool:
        """Take nothing new, and wait until everything that was taken is done; tell whether it is."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._ended or not (self._open or self._arriving), timeout_s)

    def stop(self) -> None:
        """End everything at once; what runs fails."""
        with self._changed:
            self._draining = self._stopping = True
            self._changed.notify_all()
        self._fail_all("the engine was stopped")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def status(self) -> EngineStatus:
        """What the engine does at this moment."""
        with self._changed:
            alive = self._thread is not None and self._thread.is_alive() and not self._ended
            return EngineStatus(
                alive=alive,
                draining=self._draining,
                queued=len(self._queue) + self._arriving,
                running=0 if self._ended else len(self._scheduler.running),
                free_blocks=self._free,
                total_blocks=self._language.blocks.total,
                counters=dict(self.counters),
            )

    def _check_open(self) -> None:
        """Refuse a job that cannot be taken; nothing of it is looked at."""
        if self._thread is None or self._ended or self._stopping:
            raise EngineDied("expected an engine that runs, got one that does not")
        if self._draining:
            raise Draining("the engine takes nothing new")
        waiting = len(self._queue) + self._arriving
        if waiting >= self.config.max_queue + self.config.max_running - len(self._scheduler.running):
            self.counters["rejected"] += 1
            seconds = self._job_seconds * (waiting + 1)
            raise QueueFull(min(max(1, round(seconds)), LONGEST_WAIT_S))

    def _run(self) -> None:
        """Work until the engine is stopped; whatever else ends this thread fails every job that is open."""
        try:
            while self._take_more():
                self._scheduler.step()
                self._free = self._language.free_blocks
            self._fail_all("the engine was stopped")
            self._scheduler.sweep()
            self._free = self._language.free_blocks
        finally:
            with self._changed:
                self._ended = True
            self._fail_all("the engine's thread ended")

    def _take_more(self) -> bool:
        """Wait for something to do, and let waiting jobs run where there is room; return False at the end."""
        with self._changed:
            while not self._stopping:
                for work in [work for work in self._queue if overdue(work)]:
                    self._queue.remove(work)
                    count_end(self.counters, work.ticket.last)
                    self._open.pop(work.ticket.id, None)
                    self._changed.notify_all()
                while self._queue and len(self._scheduler.running) < self.config.max_running:
                    self._scheduler.admit(self._queue.popleft())
                if self._scheduler.running:
                    return True
                self._last_end = 0.0
                self._changed.wait()
            return False

    def _left(self, work: Work, last: Finished | Failed | None) -> None:
        """End a job that has left; what it held is free by then."""
        with self._changed:
            now = time.monotonic()
            if self._last_end:
                self._job_seconds += _NEWEST * (now - self._last_end - self._job_seconds)
            self._last_end = now
            self._free = self._language.free_blocks
            self._open.pop(work.ticket.id, None)
            if last is not None:
                work.ticket.end(last)
            self._changed.notify_all()

    def _fail_all(self, why: str) -> None:
        with self._changed:
            tickets = list(self._open.values())
            self._open.clear()
            self._queue.clear()
            self._changed.notify_all()
        for ticket in tickets:
            ticket.end(Failed(EngineDied(why)))

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
