import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.weights.test_published import bases, small
from visionllm.weights import convert, load_model, shards
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.convert import KEPT, convert_from_published, convert_to_published
from visionllm.weights.folder import MANIFEST
from visionllm.weights.plan import plan_from_published
from visionllm.weights.published import config_from_published, state_from_published

SHARD = 300_000


@pytest.fixture(scope="module")
def config():
    return config_from_published(small()[0], bases=bases())


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


def test_published_files_are_kept_and_listed(source, config, tmp_path):
    (tmp_path / "words").write_bytes(b"\0words")
    convert_from_published(source, tmp_path / "model", config, kept={"tokenizer.model": tmp_path / "words"})
    assert (tmp_path / "model" / KEPT / "tokenizer.model").read_bytes() == b"\0words"
    listed = json.loads((tmp_path / "model" / MANIFEST).read_text())["files"]
    assert set(listed) == {"config.json", "model.safetensors", f"{KEPT}/tokenizer.model"}
    load_model(tmp_path / "model")
    (tmp_path / "model" / KEPT / "tokenizer.model").write_bytes(b"\1words")
    with pytest.raises(ValueError, match=r"expected .*published/tokenizer\.model as it was saved, got a damaged file"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("verify", [True, False])
def test_it_tells_what_it_did(source, weights, config, tmp_path, verify):
    told = []
    done = convert_from_published(
        source, tmp_path / "model", config, shard_bytes=SHARD, verify=verify, progress=lambda *x: told.append(x)
    )
    assert done.checked is verify
    assert done.tensors == len(done.plan.taken)
    assert set(done.files) == {f.name for f in (tmp_path / "model").glob("*.safetensors")}
    assert told[-1] == (done.nbytes * (1 + verify),) * 2


def test_a_disk_that_lies_is_found_out(source, config, tmp_path, monkeypatch):
    written = shards.write_shard

    def lie(file, tensors, read):
        written(file, tensors, lambda name: read(name) + 1 if name.startswith("projector") else read(name))

    monkeypatch.setattr(convert, "write_shard", lie)
    with pytest.raises(ValueError, match=r"expected projector\..* as it was written, got other numbers"):
        convert_from_published(source, tmp_path / "model", config)
    assert not list(tmp_path.iterdir())


class FullFile:
    """A file on a disk with little room."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, content):
        self.room -= memoryview(content).nbytes
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(content)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


@pytest.fixture
def full_disk(monkeypatch):
    """The third file of weights does not fit any more."""
    opened, count = Path.open, []

    def small_room(self, mode="r", *args, **kwargs):
        file = opened(self, mode, *args, **kwargs)
        if mode == "wb" and ".safetensors" in self.name:
            count.append(self)
            return FullFile(file, 10_000 if len(count) == 3 else 1 << 40)
        return file

    monkeypatch.setattr(Path, "open", small_room)


def test_a_disk_that_is_full_is_told_and_the_conversion_goes_on_later(source, weights, config, tmp_path, full_disk):
    told = r"the disk of .* is full \(No space left on device\); make room and run the same again: it goes on where"
    with pytest.raises(OSError, match=told):
        convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD)
    assert not (tmp_path / "model").exists()
    (kept,) = tmp_path.iterdir()
    finished = {f.name: f.stat().st_mtime_ns for f in kept.glob("*.safetensors")}
    assert len(finished) == 2
    assert not list(kept.glob("*.half"))
    convert_from_published(source, tmp_path / "model", config, shard_bytes=SHARD)
    assert all((tmp_path / "model" / name).stat().st_mtime_ns == at for name, at in finished.items())
    expected = state_from_published(weights, config)
    assert all(torch.equal(t, expected[n]) for n, t in load_model(tmp_path / "model").state_dict().items())


def test_what_has_no_room_is_not_begun(source, config, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(
        OSError,
        match=r"is full \(expected room for 2\.\d MB of weights, got 1\.0 kB\); make room and run the same again",
    ):
        convert_from_published(source, tmp_path / "model", config)
    assert not (tmp_path / "model").exists()


def test_what_a_run_left_that_was_cut_off_while_finishing_is_removed(source, config, tmp_path, monkeypatch):
    def stop(folder, known=None):
        raise StopError

    (tmp_path / "words").write_bytes(b"words")
    with monkeypatch.context() as patched:
        patched.setattr(convert, "write_manifest", stop)
        with pytest.raises(StopError):
            convert_from_published(source, tmp_path / "model", config, kept={"tokenizer.model": tmp_path / "words"})
    convert_from_published(source, tmp_path / "model", config)
    assert {f.name for f in (tmp_path / "model").iterdir()} == {"config.json", "model.safetensors", MANIFEST}
