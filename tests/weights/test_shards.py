import json
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from visionllm.weights.shards import Planned, check_shard, index_of, into_shards, shard_names, write_shard

TENSORS = {
    "a": torch.randn(3, 5),
    "b": torch.randn(7).to(torch.bfloat16),
    "c": torch.arange(4).reshape(2, 2),
    "d": torch.tensor(2.5),
    "e": torch.zeros(0, 3),
}
PLANNED = {name: Planned(shape=tuple(t.shape), dtype=t.dtype) for name, t in TENSORS.items()}


def test_files_are_safetensors(tmp_path):
    file = tmp_path / "model.safetensors"
    write_shard(file, PLANNED, TENSORS.__getitem__)
    back = load_file(file)
    assert back.keys() == TENSORS.keys()
    assert all(torch.equal(back[name], tensor) and back[name].dtype == tensor.dtype for name, tensor in TENSORS.items())
    with safe_open(file, "pt") as opened:
        assert opened.metadata() == {"format": "pt"}
    (length,) = struct.unpack("<Q", file.read_bytes()[:8])
    assert length % 8 == 0
    assert [f.name for f in tmp_path.iterdir()] == ["model.safetensors"]


def test_tensors_are_divided_in_their_order():
    shards = into_shards(PLANNED, 60)
    assert [list(shard) for shard in shards] == [["a"], ["b", "c", "d", "e"]]
    assert len(into_shards(PLANNED, 1)) == 5
    assert shard_names(2) == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = json.loads(index_of(shards))
    assert index["weight_map"]["d"] == "model-00002-of-00002.safetensors"
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in TENSORS.values())
    assert shard_names(1) == ["model.safetensors"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (torch.zeros(5, 3), r"expected a as planned, .* got torch.float32\[5, 3\]"),
        (torch.full((3, 5), torch.nan), "expected finite weights, got NaN or infinity in a"),
    ],
)
def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path, wrong, told):
    with pytest.raises(ValueError, match=told):
        write_shard(tmp_path / "model.safetensors", PLANNED, lambda name: wrong if name == "a" else TENSORS[name])
    assert list(tmp_path.iterdir()) == []


def written(folder, tensors):
    planned = {n: Planned(shape=tuple(t.shape), dtype=t.dtype) for n, t in tensors.items()}
    write_shard(folder / "s.safetensors", planned, tensors.__getitem__)
    return folder / "s.safetensors", planned


def test_a_file_that_holds_what_it_should_passes(tmp_path):
    tensors = {"a": torch.randn(300, 7), "b": torch.arange(5), "c": torch.randn(3).bfloat16(), "d": torch.tensor(2.0)}
    file, planned = written(tmp_path, tensors)
    check_shard(file, planned, tensors.__getitem__)


@pytest.mark.parametrize("place", [-1, -60])
def test_one_wrong_byte_is_found_and_its_tensor_named(tmp_path, place):
    tensors = {"a": torch.randn(9), "b": torch.randn(20)}
    file, planned = written(tmp_path, tensors)
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected b in .* as it was written, got other numbers"):
        check_shard(file, planned, tensors.__getitem__)


def test_a_file_with_other_tensors_than_planned_is_refused(tmp_path):
    tensors = {"a": torch.randn(9), "b": torch.randn(20)}
    file, planned = written(tmp_path, tensors)
    with pytest.raises(ValueError, match=r"expected only what was planned in .*, got b"):
        check_shard(file, {"a": planned["a"]}, tensors.__getitem__)
    with pytest.raises(ValueError, match=r"expected a in .* as planned, .*, got"):
        check_shard(file, planned | {"a": planned["b"]}, tensors.__getitem__)
    with pytest.raises(ValueError, match=r"expected c in .* as planned, .*, got {}"):
        check_shard(file, planned | {"c": planned["b"]}, tensors.__getitem__)
