"""Where a part's tensors lie: networks of the library by its own loader, ours by a table."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    Dinov2Config,
    Dinov2Model,
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
    SiglipConfig,
    SiglipModel,
    ViTConfig,
    ViTForImageClassification,
)

from tests.weights.building.parts import PICTURE, TOWER, randomise, write
from visionllm.weights.building.sources import (
    LANGUAGE_DROPPED,
    VISION_DROPPED,
    VISION_SPARE,
    library_sources,
    reason_for,
    renamed_sources,
)
from visionllm.weights.checkpoint import Checkpoint


def siglip() -> Any:
    return SiglipModel(SiglipConfig(text_config=TOWER | {"vocab_size": 40}, vision_config=TOWER | PICTURE))


def vit() -> Any:
    return ViTForImageClassification(ViTConfig(**TOWER, **PICTURE))


def dino() -> Any:
    return Dinov2Model(Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, **PICTURE))


@pytest.mark.parametrize(
    ("network", "tower", "new"),
    [
        pytest.param(siglip, lambda n: n.vision_model, set(), id="siglip"),
        pytest.param(vit, lambda n: n.vit, {"pooler.dense.weight", "pooler.dense.bias"}, id="vit"),
        pytest.param(dino, lambda n: n, set(), id="dinov2"),
    ],
)
def test_other_vision_encoders_are_found(network: Any, tower: Any, new: set[str], tmp_path: Path):
    whole = network()
    randomise(whole)
    with Checkpoint(write(whole, tmp_path)) as checkpoint:
        config = getattr(whole.config, "vision_config", whole.config)
        found = library_sources(checkpoint, AutoModel, config, VISION_DROPPED, VISION_SPARE).sources
        expected = tower(whole).state_dict()
        assert all(torch.equal(checkpoint.read(stored), expected[name]) for name, stored in found.taken.items())
    assert set(found.new) == new
    assert sorted([*found.taken.values(), *found.dropped]) == sorted(checkpoint.tensors)


def test_another_language_model_is_found_and_its_tied_head_with_it(tmp_path: Path):
    gpt = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2))
    with Checkpoint(write(gpt, tmp_path)) as checkpoint:
        found = library_sources(checkpoint, AutoModelForCausalLM, gpt.config, LANGUAGE_DROPPED)
    assert found.sources.taken["lm_head.weight"] == found.sources.taken["transformer.wte.weight"]
    assert not found.sources.dropped


def test_finding_takes_no_memory(tmp_path: Path):
    whole = vit()
    with Checkpoint(write(whole, tmp_path)) as checkpoint:
        found = library_sources(checkpoint, AutoModel, whole.config, VISION_DROPPED, VISION_SPARE)
    taken = {name: t for name, t in found.network.state_dict().items() if name in found.sources.taken}
    assert sum(tensor.untyped_storage().nbytes() for tensor in taken.values()) == 4 * len(taken)


@pytest.mark.faults
def test_weights_that_are_stored_in_parts_are_refused(tmp_path: Path):
    config = MixtralConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=2,
    )
    checkpoint = Checkpoint(write(MixtralForCausalLM(config), tmp_path))
    with pytest.raises(ValueError, match=r"stored as they are used, got parts of model\.layers\.0\.mlp\.experts"):
        library_sources(checkpoint, AutoModelForCausalLM, config, LANGUAGE_DROPPED)


def test_a_table_of_names_sorts_every_tensor(tmp_path: Path):
    torch.save({"a.1": torch.ones(1), "a.2": torch.ones(1), "b": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    found = renamed_sources(Checkpoint(tmp_path), lambda name: name.partition(".")[0], [("b*", "why not")])
    assert (found.taken, found.copies, found.dropped) == ({"a": "a.1"}, {"a.2": "a.1"}, {"b": "why not"})


def test_the_first_reason_that_fits_is_given():
    assert reason_for("text_model.head.weight", VISION_DROPPED) == "the text tower of a model with two towers"
    assert reason_for("vision_model.head.weight", VISION_DROPPED) is None
