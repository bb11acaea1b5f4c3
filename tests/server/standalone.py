"""A server with the stub engine as a process of its own: `python -m tests.server.standalone` prints its port."""

import sys

from tests.server.helpers import CARD
from tests.server.stub import StubEngine
from visionllm.server import ServerConfig, create_app, listen, serve


def main() -> int:
    """Serve until a signal comes."""
    config = ServerConfig(port=0, drain_s=10)
    taken = listen(config)
    app = create_app(StubEngine(step_s=0.01), CARD, config)

    def told() -> None:
        sys.stdout.write(f"{taken.getsockname()[1]}\n")
        sys.stdout.flush()

    return serve(app, taken, told)


if __name__ == "__main__":
    sys.exit(main())
