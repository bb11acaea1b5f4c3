"""A stub engine and a client of an app in front of it."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.server.helpers import client_of
from tests.server.stub import StubEngine


@pytest.fixture
def stub() -> Iterator[StubEngine]:
    """An engine without a model."""
    engine = StubEngine()
    yield engine
    engine.stop()


@pytest.fixture
def client(stub: StubEngine) -> Iterator[TestClient]:
    """A client of an app without keys."""
    with client_of(stub) as client:
        yield client
