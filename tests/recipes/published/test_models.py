"""The network of the 7B recipe has the published names and shapes."""

import math
from collections import Counter

import pytest

from tests.weights.test_published import released
from visionllm.config import Quirks, VisionLLMConfig
from visionllm.recipes.published.models import NAMES, published_config, published_settings
from visionllm.weights.plan import our_shapes, plan_to_published


def test_the_published_models_are_named():
    assert NAMES == ("7b",)
    with pytest.raises(ValueError, match="expected a published model among 7b, got '26b'"):
        published_settings("26b")


def test_the_network_of_the_recipe_has_every_published_name_and_shape():
    config = published_config("7b")
    ours = our_shapes(config)
    plan = plan_to_published(ours, config)
    shapes = {name: origin.shape(ours) for name, origin in plan.taken.items()}
    shapes |= {name: tuple(tensor.shape) for name, tensor in plan.made.items()}
    theirs = {name: tuple(shape) for name, shape in released()["shapes"].items()}
    assert len(shapes) == 4742
    assert shapes == theirs

    def counted(of: dict[str, tuple[int, ...]]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for name, shape in of.items():
            counts[name.partition(".")[0]] += math.prod(shape)
        return counts

    assert counted(shapes) == counted(theirs)
    assert sum(math.prod(shape) for shape in ours.values()) == 9_372_576_358


def test_the_configuration_is_plain_data_that_comes_back():
    config = published_config("7b")
    assert VisionLLMConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()
    assert config.quirks == Quirks.published()
    assert list(config.decoders) == ["detection", "pose", "generation", "editing"]


def test_each_call_returns_settings_of_its_own():
    published_settings("7b")["num_embs"] = 1
    assert published_settings("7b")["num_embs"] == 4
