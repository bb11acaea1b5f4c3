"""What every test may rely on: no network, the same random draws, the folders of the repository."""

import os
import socket
import sys
from pathlib import Path

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def examples(repository: Path) -> Path:
    """The folder of example pictures."""
    return repository / "examples"


@pytest.fixture(autouse=True)
def _same_random_draws() -> None:
    if "torch" in sys.modules:  # a test that needs no torch shall not pay for its import
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and not str(address).startswith(("('127.", "('::1'", "('localhost'")):
            raise OSError(f"expected a test that works offline, got a connection to {address}")
        connect(self, address)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
