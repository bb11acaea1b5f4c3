import json
import os

import pytest
import torch
from safetensors.torch import save_file

from visionllm.weights import checkpoint as module
from visionllm.weights.checkpoint import Checkpoint

TENSORS = {"a": torch.randn(3, 5), "b": torch.randn(7).to(torch.bfloat16), "c": torch.arange(4)}


def save(tensors, file):
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save(tensors, file)


@pytest.fixture(params=["model.safetensors", "pytorch_model.bin"])
def single(request, tmp_path):
    save(TENSORS, tmp_path / request.param)
    return tmp_path


@pytest.fixture(params=["safetensors", "bin"])
def sharded(request, tmp_path):
    stem = {"safetensors": "model", "bin": "pytorch_model"}[request.param]
    places = {}
    for number, (name, tensor) in enumerate(TENSORS.items(), 1):
        places[name] = f"{stem}-{number:05d}-of-00003.{request.param}"
        save({name: tensor}, tmp_path / places[name])
    (tmp_path / f"{stem}.{request.param}.index.json").write_text(json.dumps({"weight_map": places}))
    return tmp_path


def check(folder):
    with Checkpoint(folder) as checkpoint:
        assert checkpoint.shapes == {name: tuple(t.shape) for name, t in TENSORS.items()}
        assert {n: s.dtype for n, s in checkpoint.tensors.items()} == {n: t.dtype for n, t in TENSORS.items()}
        for name in (*TENSORS, *reversed(TENSORS)):
            assert torch.equal(checkpoint.read(name), TENSORS[name])
        with pytest.raises(KeyError):
            checkpoint.read("odd")


def test_one_file_is_read(single):
    check(single)


def test_shards_are_read(sharded):
    check(sharded)


def test_a_file_is_let_go_of_when_much_of_it_was_read(single, monkeypatch):
    opened = []
    original = module._tensors_of
    monkeypatch.setattr(module, "_tensors_of", lambda *given, **more: opened.append(given) or original(*given, **more))
    with Checkpoint(single) as checkpoint:
        held = [checkpoint.read(name) for name in TENSORS]
        assert len(opened) == 2  # for the shapes, and for the tensors
        monkeypatch.setattr(module, "_MAPPED", 70)  # "a" and a part of "b"
        held += [checkpoint.read(name) for name in TENSORS]
        assert len(opened) == 3
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in zip([*TENSORS, *TENSORS], held, strict=True))


def index(folder):
    return next(folder.glob("*.index.json"))


def test_a_missing_shard_is_named(sharded):
    gone = next(sharded.glob("*00002*"))
    gone.unlink()
    with pytest.raises(ValueError, match=f"expected file {gone.name} in .*, which .* names, got none"):
        Checkpoint(sharded)


def test_shards_hold_what_the_index_tells(sharded):
    places = json.loads(index(sharded).read_text())["weight_map"]
    index(sharded).write_text(json.dumps({"weight_map": {"odd": places["a"], **places}}))
    with pytest.raises(ValueError, match=r"expected odd in .*, as the index tells, got none \(1 such\)"):
        Checkpoint(sharded)
    save({"a": TENSORS["a"], "more": TENSORS["c"]}, sharded / places["a"])
    index(sharded).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match=r"expected in .* only what the index tells, got more"):
        Checkpoint(sharded)


@pytest.mark.parametrize("file", ["../model.safetensors", "/model.safetensors", 3])
def test_an_index_names_files_beside_it_only(sharded, file):
    index(sharded).write_text(json.dumps({"weight_map": {"a": file}}))
    with pytest.raises(ValueError, match="expected names of files beside"):
        Checkpoint(sharded)


@pytest.mark.parametrize("map_", [{}, [], None])
def test_an_index_names_something(sharded, map_):
    index(sharded).write_text(json.dumps({"weight_map": map_}))
    with pytest.raises(ValueError, match="to tell the files of tensors in weight_map"):
        Checkpoint(sharded)


def test_damaged_files_are_refused(single):
    file = next(single.iterdir())
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ValueError, match=f"expected .*{file.name} to be a (safetensors|PyTorch) file"):
        Checkpoint(single)


def test_folders_without_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected model.safetensors or pytorch_model.bin in .*, or the index of one"):
        Checkpoint(tmp_path)
    with pytest.raises(ValueError, match="expected a folder of weights"):
        Checkpoint(tmp_path / "none")


class Gadget:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("wrap", [lambda g: g, lambda g: {"a": g}, lambda g: {"a": torch.zeros(1), "b": [g]}])
def test_code_in_a_pickle_does_not_run(tmp_path, wrap):
    torch.save(wrap(Gadget(f"touch {tmp_path}/ran")), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"expected tensors only in .*; what else is in it is not run"):
        Checkpoint(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"a": 3}, {3: torch.zeros(1)}])
def test_other_things_than_tensors_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="expected names and tensors in"):
        Checkpoint(tmp_path)


def test_files_that_cannot_be_mapped_are_refused(tmp_path):
    torch.save(TENSORS, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match="to be a PyTorch file of tensors"):
        Checkpoint(tmp_path)
