"""A server as a process of its own: `python -m tests.server.standalone stub` prints its port.

Behind it is the stub engine (`stub`), a small random model whose engine dies when it is asked "Die." (`dying`), or the
embedded model with small caches, so that they are full soon (`tiny`).
"""

import argparse
import sys
from typing import Any

from tests.server.helpers import CARD
from tests.server.stub import StubEngine
from visionllm.server import ModelCard, ServerConfig, card_of, create_app, listen, serve

DIE = "Die."


def behind(kind: str) -> tuple[Any, ModelCard]:
    """Return an engine that runs, and what clients are told of its model."""
    if kind == "stub":
        return StubEngine(step_s=0.01), CARD
    from tests.small import small_predictor
    from visionllm.engine import Engine, EngineConfig
    from visionllm.predictor import VisionLLM

    if kind == "tiny":
        model = VisionLLM.load(device="cpu")
        return Engine(model, EngineConfig(image_cache_bytes=4 << 20)).start(), card_of(model, CARD.name)
    model = small_predictor()
    _let_die()
    return Engine(model).start(), card_of(model, CARD.name)


def _let_die() -> None:
    """Let the thread of every engine end as soon as it works on a question to die."""
    from visionllm.engine.scheduler import Scheduler

    step = Scheduler.step

    def dying(self: Scheduler) -> None:
        if any(row.prompt.request.messages[-1].text == DIE for work in self.running for row in work.rows):
            raise SystemExit
        step(self)

    Scheduler.step = dying


def main() -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("stub", "dying", "tiny"))
    parser.add_argument("--drain", type=float, default=10.0)
    given = parser.parse_args()
    config = ServerConfig(port=0, drain_s=given.drain)
    taken = listen(config)
    engine, card = behind(given.kind)

    def told() -> None:
        sys.stdout.write(f"{taken.getsockname()[1]}\n")
        sys.stdout.flush()

    return serve(create_app(engine, card, config), taken, told)


if __name__ == "__main__":
    sys.exit(main())
