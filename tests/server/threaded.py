"""The smallest real engine: a model in a thread, one job after the other. It shows that answers are the model's own."""

import queue
import threading
from types import SimpleNamespace
from typing import Any

from tests.server.stub import StubTicket
from visionllm.engine.errors import EngineDied, JobFailed
from visionllm.engine.events import Failed, Finished, Found, TextPiece
from visionllm.engine.jobs import Creation, Job, Perception
from visionllm.predictor import VisionLLM
from visionllm.types import Answer, Request


class ThreadedEngine:
    """An engine without batching.

    Args:
        model: Does the work.
    """

    def __init__(self, model: VisionLLM) -> None:
        self.model = model
        self._jobs: queue.Queue[tuple[StubTicket, Job] | None] = queue.Queue()
        self._count, self._alive = 0, True
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, job: Job, *, tenant: str = "", deadline_s: float | None = None) -> StubTicket:
        """Check a job and take it on."""
        if isinstance(job, Request):
            self.model.processor.prefix(job)
        self._count += 1
        ticket = StubTicket(str(self._count))
        self._jobs.put((ticket, job))
        return ticket

    def drain(self, timeout_s: float) -> None:
        """Take nothing new."""
        self._alive = False

    def stop(self) -> None:
        """End the thread."""
        self._alive = False
        self._jobs.put(None)

    @property
    def status(self) -> Any:
        """How it is."""
        return SimpleNamespace(
            alive=self._alive, draining=False, queued=0, running=0, free_blocks=1, total_blocks=1, counters={}
        )

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            ticket, job = taken
            try:
                self._answer(ticket, job)
            except (ValueError, RuntimeError) as cause:
                error = JobFailed("the model could not finish the job")
                error.__cause__ = cause
                ticket.push(Failed(error))
        self._alive = False

    def _answer(self, ticket: StubTicket, job: Job) -> None:
        model = self.model
        if isinstance(job, Request):
            prepared = model._core.prepare([job])
            for item in model._core.stream(prepared):
                if isinstance(item, Answer):
                    if item.detections is not None:
                        ticket.push(Found(item.detections, None))
                    ticket.push(Finished(item))
                else:
                    ticket.push(TextPiece(item))
        elif isinstance(job, Creation):
            made = (
                model.generate(job.words, options=job.options)
                if job.image is None
                else model.edit(job.image, job.words, regions=job.regions, options=job.options)
            )
            ticket.push(Finished(made))
        else:
            ticket.push(Finished(self._perceive(job)))
        if not ticket.ended.is_set():
            ticket.push(Failed(EngineDied("no result")))

    def _perceive(self, job: Perception) -> Any:
        model, image, options = self.model, job.image, job.options
        if job.task == "refer":
            return model.refer(image, job.names[0], options=options)
        if job.task == "pose":
            return model.pose(image, job.names, job.keypoints, options=options)
        if job.task == "regions":
            return model.segment_regions(image, job.regions, options=options)
        if job.task == "find":
            return model.find_like(job.examples, [image], options=options)[0]
        tasks = {"detect": model.detect, "segment": model.segment, "semantic": model.segment_semantic}
        return tasks[job.task](image, job.names, options=options)
