"""A small recipe that has run once."""

import pytest

from tests.training.small import small_recipe
from visionllm.training.recipe import RecipeRun
from visionllm.training.trainer import RunOptions


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    whole = RecipeRun(small_recipe(), folder, RunOptions(folder=folder, workers=0, quiet=True), photos=False)
    whole.run()
    return whole
