"""Every tensor of a model has exactly one source; the rest is tested where whole models are built."""

import pytest
import torch

from tests.tiny import tiny_config, tiny_model
from tests.weights.building.parts import write_clip, write_llama
from visionllm.weights.building import BuildOptions, Parts
from visionllm.weights.building.design import Blueprint, design
from visionllm.weights.building.fresh import fresh_tensors
from visionllm.weights.building.pieces import lay_out, own_shapes, part_of, vocabulary_tables


@pytest.fixture(scope="module")
def blueprint(tmp_path_factory: pytest.TempPathFactory) -> Blueprint:
    folder = tmp_path_factory.mktemp("parts")
    parts = Parts(vision=write_clip(folder / "clip"), language=write_llama(folder / "llama"))
    return design(parts, BuildOptions())


def test_shapes_are_those_of_the_model():
    expected = {name: tuple(t.shape) for name, t in tiny_model().state_dict().items()}
    assert own_shapes(tiny_config()) == expected


def test_tensors_that_share_memory_have_one_shape():
    text = tiny_config().to_dict()["text_config"] | {"tie_word_embeddings": True}
    shapes = own_shapes(tiny_config(text_config=text))
    assert "language_model.lm_head.weight" not in shapes
    assert "language_model.model.embed_tokens.weight" in shapes


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("vision_encoder.a", "vision"),
        ("decoders.editing.unet.a", "editing"),
        ("super_link.tables.det.weight", "link"),
        ("decoders.pose.a", "link"),
    ],
)
def test_a_name_says_its_part(name: str, part: str):
    assert part_of(name) == part


def test_what_has_a_row_for_each_word_is_found(blueprint: Blueprint):
    names = {"language_model.model.embed_tokens.weight", "language_model.lm_head.weight"}
    assert vocabulary_tables(blueprint.language) == names


@pytest.mark.faults
def test_a_tensor_that_nobody_has_is_refused(blueprint: Blueprint):
    shapes = own_shapes(blueprint.config)
    new = fresh_tensors(blueprint.config, deviation=0.02, seed=0)
    pieces = lay_out(blueprint, blueprint.sources, shapes, new, torch.bfloat16)
    assert pieces.keys() == shapes.keys()
    assert {piece.planned.dtype for piece in pieces.values()} == {torch.bfloat16}
    assert all(piece.read().dtype == torch.bfloat16 for piece in pieces.values())
    del new["projector.layers.0.bias"]
    with pytest.raises(ValueError, match=r"link part: expected a tensor for projector\.layers\.0\.bias, got none"):
        lay_out(blueprint, blueprint.sources, shapes, new, None)


@pytest.mark.faults
def test_a_tensor_that_the_configuration_does_not_ask_for_is_refused(blueprint: Blueprint):
    shapes = own_shapes(blueprint.config)
    del shapes["vision_encoder.post_layernorm.bias"]
    new = fresh_tensors(blueprint.config, deviation=0.02, seed=0)
    with pytest.raises(ValueError, match=r"vision part: expected only tensors .*, got vision_model\.post_layernorm"):
        lay_out(blueprint, blueprint.sources, shapes, new, None)
