"""Every part there is, written once."""

import pytest

from tests.weights.building.parts import write_all
from visionllm.weights.building import Parts


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return write_all(tmp_path_factory.mktemp("parts"))
