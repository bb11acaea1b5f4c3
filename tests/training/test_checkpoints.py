"""A checkpoint is there whole or not at all."""

import pytest
import torch
from torch import nn

from visionllm.training.checkpoints import (
    check_checkpoint,
    distinct,
    fill,
    load_optimizer_tensors,
    newest_checkpoint,
    optimizer_tensors,
    read_checkpoint,
    write_checkpoint,
)


def written(folder, value=1.0):
    write_checkpoint(folder, {"model": {"weight": torch.full((2,), value)}}, {"step": 3})
    return folder


def test_what_was_written_is_read_back(tmp_path):
    tensors, state = read_checkpoint(written(tmp_path / "step-3"))
    assert tensors["model"]["weight"].tolist() == [1.0, 1.0]
    assert state == {"step": 3}


def test_writing_again_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    written(tmp_path / "step-3")
    tensors, _ = read_checkpoint(written(tmp_path / "step-3", 2.0))
    assert tensors["model"]["weight"].tolist() == [2.0, 2.0]
    assert [p.name for p in tmp_path.iterdir()] == ["step-3"]


def test_a_draft_that_a_killed_run_left_is_not_in_the_way(tmp_path):
    (tmp_path / ".step-3.draft").mkdir()
    (tmp_path / ".step-3.draft" / "model.safetensors").write_bytes(b"half")
    check_checkpoint(written(tmp_path / "step-3"))


def test_nothing_is_pickled(tmp_path):
    written(tmp_path / "step-3")
    assert {p.suffix for p in (tmp_path / "step-3").iterdir()} == {".safetensors", ".json"}


def test_a_changed_byte_is_found_and_named(tmp_path):
    path = written(tmp_path / "step-3") / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"step-3 is damaged: model\.safetensors"):
        read_checkpoint(tmp_path / "step-3")


def test_a_missing_file_is_named(tmp_path):
    (written(tmp_path / "step-3") / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"lacks the file model\.safetensors"):
        check_checkpoint(tmp_path / "step-3")


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a checkpoint with a manifest"):
        check_checkpoint(tmp_path)


def test_the_newest_whole_checkpoint_is_taken(tmp_path):
    for step in (3, 20, 100):
        written(tmp_path / f"step-{step}")
    (tmp_path / "step-100" / "state.json").unlink()
    assert newest_checkpoint(tmp_path) == tmp_path / "step-20"
    assert newest_checkpoint(tmp_path / "none") is None


def test_a_shared_tensor_is_kept_once_and_filled_for_both_names():
    module = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
    module["b"].weight = module["a"].weight
    assert list(distinct(module)) == ["a.weight"]
    fill(module, {"a.weight": torch.ones(2, 2)})
    assert module["b"].get_parameter("weight").tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    "state", [{}, {"weight": torch.zeros(3, 3)}, {"weight": torch.zeros(2, 2), "x": torch.zeros(1)}]
)
def test_other_names_or_shapes_are_refused(state):
    with pytest.raises(ValueError, match="expected the tensors of a Linear, got others"):
        fill(nn.Linear(2, 2, bias=False), state)


def test_the_moments_of_an_optimiser_survive():
    layer = nn.Linear(2, 1, bias=False)
    names = {layer.weight: "weight"}
    first = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    first.step()
    second = torch.optim.AdamW(layer.parameters())
    load_optimizer_tensors(second, names, optimizer_tensors(first, names))
    assert second.state[layer.weight]["exp_avg"][0].tolist() == pytest.approx([0.1, 0.1])
    assert float(second.state[layer.weight]["step"]) == 1
