import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.weights.test_published import small
from visionllm.weights import load_model
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.convert import convert_from_published, convert_to_published
from visionllm.weights.folder import MANIFEST
from visionllm.weights.plan import plan_from_published
from visionllm.weights.published import config_from_published, released_token_ids, state_from_published

SHARD = 300_000


@pytest.fixture(scope="module")
def config():
    raw, _ = small()
    config = config_from_published(raw, token_ids=released_token_ids(40))
    config.decoders["pose"]["backbone"] |= raw["fixture"]["swin_unipose"]
    return config


@pytest.fixture(scope="module")
def weights():
    return {n: t for n, t in small()[1].items() if not n.startswith(("sd.", "ip2p."))}


def write(weights, folder: Path, files: int = 5) -> Path:
    """Write published weights as PyTorch files with an index."""
    folder.mkdir()
    names = list(weights)
    places = {
        name: f"pytorch_model-{i * files // len(names) + 1:05d}-of-{files:05d}.bin" for i, name in enumerate(names)
    }
    for file in dict.fromkeys(places.values()):
        torch.save({name: weights[name].clone() for name in names if places[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.fixture(scope="module")
def source(weights, tmp_path_factory):
    return write(weights, tmp_path_factory.mktemp("published") / "folder")


def test_a_converted_folder_is_a_model(source, weights, config, tmp_path):
    told = []
    convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD, progress=lambda *x: told.append(x))
    model = load_model(tmp_path / "model")
    expected = state_from_published(weights, config)
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert [f.name for f in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / MANIFEST).is_file()


def test_there_and_back_is_the_identity(source, weights, config, tmp_path):
    convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD)
    convert_to_published(tmp_path / "model", tmp_path / "back", config, shard_bytes=SHARD)
    with Checkpoint(tmp_path / "back") as back:
        assert back.tensors.keys() >= weights.keys()
        for name, tensor in weights.items():
            assert torch.equal(back.read(name), tensor), name
        assert plan_from_published(back.shapes, config).dropped.keys() >= {
            name for name in weights if name.endswith("relative_position_index")
        }


def test_copies_must_be_equal(weights, config, tmp_path):
    name = "gdino.bbox_embed.1.layers.0.weight"
    source = write(weights | {name: weights[name] + 1}, tmp_path / "source")
    told = r"expected .*bbox_embed.* to equal .*bbox_embed.*, which the published model shares"
    with pytest.raises(ValueError, match=told):
        convert_from_published(source, tmp_path / "model", config)
    assert [f.name for f in tmp_path.iterdir()] == ["source"]


def test_no_numbers_are_made_up_or_passed_over(weights, config, tmp_path):
    name = "vl_bridge.0.bias"
    broken = weights | {name: torch.full_like(weights[name], torch.nan)}
    with pytest.raises(ValueError, match="expected finite weights, got NaN or infinity in projector"):
        convert_from_published(write(broken, tmp_path / "source"), tmp_path / "model", config)
    assert [f.name for f in tmp_path.iterdir()] == ["source"]


def test_a_folder_that_is_there_stays(source, config, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError, match="remove it, or choose another name"):
        convert_from_published(source, tmp_path / "model", config)


class StopError(Exception):
    pass


def test_a_conversion_goes_on_where_it_stopped(source, weights, config, tmp_path, monkeypatch):
    def stop(written, total):
        if written > total / 2:
            raise StopError

    with pytest.raises(StopError):
        convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD, progress=stop)
    assert not (tmp_path / "model").exists()
    (kept,) = tmp_path.iterdir()
    finished = {f.name: f.stat().st_mtime_ns for f in kept.glob("*.safetensors")}
    first = min(finished)
    (kept / first).write_bytes(b"damaged")
    convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD)
    times = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "model").glob("*.safetensors")}
    assert {name for name, at in finished.items() if times[name] == at} == finished.keys() - {first}
    expected = state_from_published(weights, config)
    assert all(torch.equal(t, expected[n]) for n, t in load_model(tmp_path / "model").state_dict().items())


def test_what_another_conversion_left_is_not_believed(source, weights, config, tmp_path):
    def stop(written, total):
        raise StopError

    with pytest.raises(StopError):
        convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD, progress=stop)
    other = {n: t + 1 if t.is_floating_point() else t for n, t in weights.items()}
    convert_from_published(write(other, tmp_path / "other"), tmp_path / "model", config)
    assert [f.name for f in (tmp_path / "model").glob("*.safetensors")] == ["model.safetensors"]
    expected = state_from_published(other, config)
    assert all(torch.equal(t, expected[n]) for n, t in load_model(tmp_path / "model").state_dict().items())


def test_killed_at_any_point_it_never_leaves_a_wrong_folder(source, weights, config, tmp_path):
    target = tmp_path / "model"
    began = time.monotonic()
    convert_from_published(source, tmp_path / "timed", config, shard_bytes=SHARD)
    lasts = time.monotonic() - began
    rng = random.Random(7)
    fork = multiprocessing.get_context("fork")
    killed = 0
    for _ in range(20):
        if target.exists():
            break
        work = fork.Process(target=convert_from_published, args=(source, target, config), kwargs={"shard_bytes": SHARD})
        work.start()
        work.join(rng.random() * lasts)
        if work.is_alive() and work.pid is not None:
            os.kill(work.pid, signal.SIGKILL)
            killed += 1
        work.join()
        if target.exists():
            load_model(target)
    if not target.exists():
        convert_from_published(source, target, config, shard_bytes=SHARD)
    assert killed
    expected = state_from_published(weights, config)
    assert all(torch.equal(t, expected[n]) for n, t in load_model(target).state_dict().items())
