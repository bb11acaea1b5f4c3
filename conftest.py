"""What every test may rely on: no network, the same random draws, the folders of the repository."""

import importlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def examples(repository: Path) -> Path:
    """Return the folder of example pictures."""
    return repository / "examples"


@pytest.fixture(autouse=True)
def _same_random_draws() -> None:
    if "torch" in sys.modules:  # a test that needs no torch shall not pay for its import
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Compute on one core: tiny networks are no faster on two, and beside other programs threads wait for them."""
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _names_of_doctests(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(np=importlib.import_module("numpy"), torch=importlib.import_module("torch"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"expected a test that works offline, got a connection to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
