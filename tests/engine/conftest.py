"""Small random models, scripts that make them say what a test needs, and engines around them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from tests.small import FULL, ids_of, small_model, small_predictor, small_processor, written
from visionllm.engine import Engine, EngineConfig, Failed, Finished, Job, Ticket
from visionllm.engine.intake import Intake, Work
from visionllm.engine.language import Language
from visionllm.engine.pictures import PictureKeys
from visionllm.engine.rows import Row
from visionllm.engine.scheduler import Scheduler
from visionllm.generation import GeneratedIds
from visionllm.predictor import Core, Prepared, VisionLLM
from visionllm.types import Request

Scripts = dict[str, tuple[str, ...]]
Script = Callable[[Scripts], None]
SMALL = EngineConfig(block_size=4, deadline_s=60.0)


class Bench:
    """A scheduler that a test drives."""

    def __init__(self, model: VisionLLM, config: EngineConfig = SMALL) -> None:
        self.counters: Counter[str] = Counter()
        language = Language(model.model, config, self.counters)
        language.warm_up()
        self.left: list[Work] = []
        self.scheduler = Scheduler(model.core, language, config, self.counters, self._leave)
        self.intake = Intake(model.core, PictureKeys(b"salt", "model"), batches=True)

    def _leave(self, work: Work, last: Finished | Failed | None) -> None:
        self.left.append(work)
        if last is not None:
            work.ticket.end(last)

    def admit(self, job: Job, seconds: float = 60.0) -> Work:
        work = self.intake.take(job, "", Ticket("job", 1000), time.monotonic() + seconds)
        self.scheduler.admit(work)
        return work


def question_of(request: Request) -> str:
    """Return the words of the last message."""
    return request.messages[-1].text.strip()


@pytest.fixture(scope="session")
def predictor() -> VisionLLM:
    return small_predictor()


@pytest.fixture(scope="session")
def full() -> VisionLLM:
    """Return a model with every decoder, whose pictures take 64 slots."""
    tables = {"det": 4, "pose": 4, "gen": 64, "edit": 64}
    processor = small_processor(**(FULL | {"tables": tables}))
    return VisionLLM(small_model(processor), processor)


@pytest.fixture
def engine(predictor: VisionLLM, one_core: None) -> Iterator[Engine]:
    with Engine(predictor, SMALL) as engine:
        yield engine


@pytest.fixture
def full_engine(full: VisionLLM, one_core: None) -> Iterator[Engine]:
    with Engine(full, SMALL) as engine:
        yield engine


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, full: VisionLLM) -> Script:
    """Let models say given pieces to given questions, the engine token by token; other questions as they like."""

    def prepare(scripts: Scripts) -> None:
        choose, write = Language.choose, Core.write
        vocabulary = full.processor.vocabulary

        def chosen(self: Language, rows: Sequence[Row], logits: torch.Tensor) -> list[int]:
            tokens = choose(self, rows, logits)
            for place, row in enumerate(rows):
                pieces = scripts.get(question_of(row.prompt.request))
                if pieces is not None:
                    size = self.model.config.text_vocab_size
                    text = [token for token in ids_of(vocabulary, *pieces) if token < vocabulary.size]
                    said = sum(token < size for token in row.answer)
                    tokens[place] = text[said] if said < len(text) else vocabulary.eos_id
            return tokens

        def wrote(self: Core, prepared: Prepared) -> list[GeneratedIds]:
            asked = [question_of(request) for request in prepared.requests]
            if not any(question in scripts for question in asked):
                return write(self, prepared)
            return [written(vocabulary, *scripts[question]) for question in asked]

        monkeypatch.setattr(Language, "choose", chosen)
        monkeypatch.setattr(Core, "write", wrote)

    return prepare
