"""The published stages train what the paper says, in the words of our network."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import pytest

from visionllm.recipes.published.models import published_config
from visionllm.recipes.published.stages import STAGES
from visionllm.weights.sizes import skeleton

BY_NAME = {stage.name: stage for stage in STAGES}


@pytest.fixture(scope="module")
def names() -> list[str]:
    return [name for name, _ in skeleton(published_config("7b")).named_parameters()]


def rates(patterns: Mapping[str, float], names: list[str]) -> dict[str, float]:
    found = {name: next((rate for p, rate in patterns.items() if fnmatchcase(name, p)), 0.0) for name in names}
    return {name: rate for name, rate in found.items() if rate}


def test_every_pattern_means_something(names: list[str]):
    for stage in STAGES:
        first = [next((p for p in stage.rates if fnmatchcase(name, p)), None) for name in names]
        assert set(stage.rates) <= set(first), stage.name


def test_each_stage_trains_what_the_paper_says(names: list[str]):
    trained = {
        stage.name: {".".join(n.split(".")[: 2 if n.startswith("decoders") else 1]) for n in rates(stage.rates, names)}
        for stage in STAGES
    }
    decoders = {f"decoders.{name}" for name in ("detection", "pose", "generation", "editing")}
    assert trained == {
        "1-pretrain": {"projector", "region_encoder"},
        "1-tune": {"language_model", "projector", "region_encoder"},
        "2": {"language_model", "region_encoder", "super_link"} | decoders,
        "3": {"super_link"} | decoders,
    }


def test_the_second_stage_trains_embeddings_and_head_only(names: list[str]):
    language = {n for n in rates(BY_NAME["2"].rates, names) if n.startswith("language_model.")}
    assert language == {"language_model.model.embed_tokens.weight", "language_model.lm_head.weight"}


def test_backbones_and_offsets_learn_at_a_tenth(names: list[str]):
    found = rates(BY_NAME["3"].rates, names)
    slow = {name for name, rate in found.items() if rate == 1e-5}
    assert all(rate in (1e-4, 1e-5) for rate in found.values())
    assert all(name in slow for name in found if ".backbone." in name or ".offsets." in name)
    assert "decoders.detection.decoder.position_head.layers.0.weight" in slow
    assert "decoders.pose.decoder.stack.position_head.layers.0.weight" not in slow
    assert "decoders.generation.mapper.queries" in slow
    assert "decoders.generation.mapper.projection.layers.0.weight" not in slow
    assert not any(name.startswith("super_link") for name in slow)


def test_batches_and_epochs_are_the_papers():
    assert [(s.batch, s.epochs, s.tiles) for s in STAGES] == [(2048, 1, 0), (1024, 1, 4), (256, 1, 4), (256, 12, 4)]
    assert [s.name for s in STAGES if s.adapters] == ["2"]
    assert set(BY_NAME["2"].data) == set(BY_NAME["1-tune"].data) | set(BY_NAME["3"].data)
