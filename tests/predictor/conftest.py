"""A small random predictor, and answers as if it had written them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.small import small_predictor, written
from visionllm.generation import GeneratedIds
from visionllm.predictor import VisionLLM, core
from visionllm.types import Request

Script = Callable[[Request], tuple[str, ...]]


@pytest.fixture(scope="session")
def predictor() -> VisionLLM:
    return small_predictor()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, predictor: VisionLLM) -> Callable[[dict[str, tuple[str, ...]]], None]:
    """Let the model write given pieces as its answer: `scripted({"question": ("<det>", "star", …)})`."""
    vocabulary = predictor.processor.vocabulary

    def prepare(script: dict[str, tuple[str, ...]]) -> None:
        asked: list[str] = []
        original = core.Core.answer

        def answer(self: core.Core, prepared: core.Prepared) -> Any:
            asked[:] = [request.messages[-1].text.strip() for request in prepared.requests]
            return original(self, prepared)

        def generate(*_: object, **__: object) -> list[GeneratedIds]:
            return [written(vocabulary, *script[question]) for question in asked]

        monkeypatch.setattr(core.Core, "answer", answer)
        monkeypatch.setattr(core, "generate", generate)

    return prepare
