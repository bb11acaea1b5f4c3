"""One step after another: jobs join, answers grow, decoders read, pictures take a step, and what is done leaves."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

import torch

from visionllm.engine.answering import UnitWork, known_units
from visionllm.engine.config import EngineConfig
from visionllm.engine.decoding import Decoding, Done
from visionllm.engine.errors import (
    Cancelled,
    DeadlinePassed,
    EngineError,
    NotFinite,
    SlowReader,
    as_engine_error,
)
from visionllm.engine.events import Failed, Finished
from visionllm.engine.intake import Work
from visionllm.engine.language import Language
from visionllm.engine.outcome import Attempt, Outcome
from visionllm.engine.rows import Row
from visionllm.predictor import Core

_COUNTED: dict[type[EngineError], str] = {
    Cancelled: "cancelled",
    DeadlinePassed: "deadline_passed",
    SlowReader: "slow_readers",
    NotFinite: "not_finite",
}


class Scheduler:
    """All work on the model, done by one thread that calls `step` again and again.

    A step reads new prompts, writes one token of every answer, lets one decoder read a few units, and brings pictures
    one step nearer: none of these keeps the others waiting for longer than its own step.

    Args:
        core: The model.
        language: Reads and writes rows.
        config: Limits.
        counters: Counts what happens.
        leave: Called when a job leaves, with its last event, unless it has one already.
    """

    def __init__(
        self,
        core: Core,
        language: Language,
        config: EngineConfig,
        counters: Counter[str],
        leave: Callable[[Work, Finished | Failed | None], None],
    ) -> None:
        self.core, self.language, self.config, self.counters, self._leave = core, language, config, counters, leave
        self.decoding = Decoding(core.model, config)
        self.running: list[Work] = []
        self._joining: deque[tuple[Work, int]] = deque()
        self._writing: list[tuple[Work, int]] = []
        self._alone: deque[Work] = deque()

    def admit(self, work: Work) -> None:
        """Begin to work on a job."""
        self.running.append(work)
        if work.alone is not None:
            self._alone.append(work)
        self._joining += [(work, number) for number in range(len(work.rows))]

    @torch.no_grad()
    def step(self) -> None:
        """Do a little of everything that waits."""
        self.sweep()
        self._run_alone()
        self._join()
        self._write()
        self._settle(self.decoding.read())
        self._settle(self.decoding.paint())
        self._finish()

    def sweep(self) -> None:
        """Let go of jobs that were given up or are late."""
        for work in list(self.running):
            if overdue(work):
                self._remove(work)

    def _run_alone(self) -> None:
        """Run one job that cannot share a batch."""
        if not self._alone:
            return
        work = self._alone.popleft()
        self.counters["alone"] += 1
        with Attempt() as attempt:
            if work.alone is not None:
                self._remove(work, Finished(work.alone()))
        self._fail_if(work, attempt.error)

    def _join(self) -> None:
        """Read the prompts that have room in the cache, in the order they came in."""
        chosen: list[tuple[Work, int]] = []
        later: list[tuple[Work, int]] = []
        tokens = 0
        while self._joining:
            work, number = self._joining[0]
            row = work.rows[number]
            tokens += row.prompt.length
            if chosen and tokens > self.config.prefill_tokens:
                break
            reserved = self.language.reserve(row)
            if reserved is False:
                break
            self._joining.popleft()
            (later if reserved is None else chosen).append((work, number))
        self._joining.extendleft(reversed(later))
        if not chosen:
            return
        outcomes = self.language.join([work.rows[number] for work, number in chosen])
        self._advance(chosen, outcomes)

    def _write(self) -> None:
        """Write one token of every answer."""
        writing = self._writing
        if not writing:
            return
        self._writing = []
        self._advance(writing, self.language.step([work.rows[number] for work, number in writing]))

    def _advance(self, places: Sequence[tuple[Work, int]], outcomes: Sequence[Outcome[None]]) -> None:
        """Look at what rows have read and written."""
        for (work, number), outcome in zip(places, outcomes, strict=True):
            if work not in self.running:  # another row of the job has failed
                continue
            with Attempt() as attempt:
                if outcome.error is not None:
                    raise outcome.error
                self._look(work, number, work.rows[number])
            self._fail_if(work, attempt.error)

    def _look(self, work: Work, number: int, row: Row) -> None:
        if not work.answerings:
            units = work.known[number] = known_units(self.core, row, work.ticket)
        elif row.finished:
            units = work.answerings[number].close()
        else:
            units = work.answerings[number].grow()
        self.decoding.add(units)
        self.counters["units"] += len(units)
        if row.finished:
            self.language.leave(row)
        else:
            self._writing.append((work, number))

    def _settle(self, done: Done) -> None:
        """Hand out what decoders have found."""
        for unit, outcome in done:
            work = next((work for work in self.running if _owns(work, unit)), None)
            if work is None:
                continue
            with Attempt() as attempt:
                unit.result = outcome.value
                for answering in work.answerings:
                    if answering.row is unit.row:
                        answering.flush()
            self._fail_if(work, attempt.error)

    def _finish(self) -> None:
        """Put together what is done."""
        for work in list(self.running):
            read = all(row.finished for row in work.rows) and len(work.known or work.answerings) == len(work.rows)
            if work.alone is not None or not read or any(unit.result is None for unit in work.units):
                continue
            with Attempt() as attempt:
                self._remove(work, Finished(work.result(self.core)))
            self._fail_if(work, attempt.error)

    def _fail_if(self, work: Work, error: Exception | None) -> None:
        if error is not None:
            self._remove(work, Failed(as_engine_error(error)))

    def _remove(self, work: Work, last: Finished | Failed | None = None) -> None:
        """Free everything that a job holds."""
        if work not in self.running:
            return
        self.running.remove(work)
        self._joining = deque(place for place in self._joining if place[0] is not work)
        self._writing = [place for place in self._writing if place[0] is not work]
        if work in self._alone:
            self._alone.remove(work)
        self.decoding.drop(lambda unit: _owns(work, unit))
        for row in work.rows:
            self.language.leave(row)
        count_end(self.counters, work.ticket.last or last)
        self._leave(work, last)


def overdue(work: Work) -> bool:
    """Tell whether nobody waits for a job any more; one that is late fails here."""
    if time.monotonic() > work.deadline:
        work.ticket.end(Failed(DeadlinePassed("the job was not done in time")))
    return work.ticket.done


def count_end(counters: Counter[str], last: Finished | Failed | None) -> None:
    """Count how a job ended."""
    failed = last.error if isinstance(last, Failed) else None
    counters["finished" if failed is None else _COUNTED.get(type(failed), "failed")] += 1


def _owns(work: Work, unit: UnitWork) -> bool:
    return any(row is unit.row for row in work.rows)
