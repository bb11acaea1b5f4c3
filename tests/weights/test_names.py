import pytest
import torch

from visionllm.weights.names import NameMap

NAMES = NameMap(
    part="toy",
    rows=(("blocks.#.fc.*", "layers.#.expand.*"), ("head.~.*", "head.*"), ("model.head.~.*", "head.*")),
    packed=(("blocks.#.qkv_*", ("layers.#.q.*", "layers.#.k.*")),),
    joined=((("first", "rest"), "table"),),
)
THEIRS = {
    "blocks.3.fc.weight": torch.ones(2, 2),
    "blocks.3.qkv_bias": torch.arange(4.0),
    "first": torch.zeros(1, 2),
    "rest": torch.ones(2, 2),
    "head.0.bias": torch.ones(1),
}


def test_published_tensors_are_renamed_unpacked_and_joined():
    ours = NAMES.to_ours(THEIRS | {"relative_position_index": torch.zeros(1)})
    assert set(ours) == {"layers.3.expand.weight", "layers.3.q.bias", "layers.3.k.bias", "table", "head.bias"}
    assert ours["layers.3.k.bias"].tolist() == [2, 3]
    assert ours["table"][:, 0].tolist() == [0, 1, 1]


def test_they_come_back_shared_ones_under_every_name():
    back = NAMES.to_published(NAMES.to_ours(THEIRS), {"model.": 1, "": 2}, {"first": 1})
    assert set(back) == {*THEIRS, "head.1.bias", "model.head.0.bias"}
    assert all(torch.equal(back[name], value) for name, value in THEIRS.items())


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="expected a parameter of the published toy, got odd"):
        NAMES.to_ours({"odd": torch.zeros(1)})
    with pytest.raises(ValueError, match="expected a parameter of the toy, got odd"):
        NAMES.to_published({"odd": torch.zeros(1)}, {})


def test_a_part_of_a_joined_tensor_alone_is_refused():
    with pytest.raises(ValueError, match="expected rest beside first in the published toy, got none"):
        NAMES.to_ours({"first": torch.zeros(1, 2)})
