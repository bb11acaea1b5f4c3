"""Bad checkpoints: one clear line that names the tensor or the key, exit code 2, and nothing where the target was."""

import contextlib
import json
import os
import pickle  # noqa: TID251 – to write what must not be run
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._utils import _rebuild_tensor_v2

from tests.weights.synthetic import BIAS, DETECTOR, POSE, published_folder
from visionllm.weights import convert as conversion
from visionllm.weights import shards

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return published_folder(tmp_path_factory.mktemp("models") / "published")


@pytest.fixture
def source(published, tmp_path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "source"))


@pytest.fixture
def refused(visionllm, tmp_path):
    """Convert, and expect one line."""

    def check(folder: Path, message: str, *options: object) -> None:
        before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")}
        ran = visionllm("convert", folder, tmp_path / "target", *options)
        assert ran.code == 2, ran
        assert ran.out == ""
        assert ran.err.startswith("visionllm: error: ") and ran.err.count("\n") == 1
        assert message in ran.err
        assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")}.keys() == before.keys()

    return check


def shard_of(folder: Path, name: str) -> Path:
    return folder / json.loads((folder / "pytorch_model.bin.index.json").read_text())["weight_map"][name]


def rewrite(folder: Path, name: str, change) -> None:
    """Change the tensors of the file that holds one of them, and let the index agree."""
    index = folder / "pytorch_model.bin.index.json"
    places = json.loads(index.read_text())["weight_map"]
    file = shard_of(folder, name)
    tensors = torch.load(file, weights_only=True)  # noqa: TID251 – the tests wrote it
    change(tensors)
    torch.save(tensors, file)
    places = {n: f for n, f in places.items() if f != file.name} | dict.fromkeys(tensors, file.name)
    index.write_text(json.dumps({"weight_map": places}))


def settings(folder: Path, change, name: str = "config.json") -> None:
    raw = json.loads((folder / name).read_text())
    change(raw)
    (folder / name).write_text(json.dumps(raw))


def test_a_folder_that_is_not_there_or_no_checkpoint(refused, small, tmp_path):
    refused(tmp_path / "none", "expected the folder of a published checkpoint, got")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "expected file config.json in")
    refused(small, "expected vis_encoder_config in")
    refused(tmp_path / "empty", "expected file manifest.json in", "--to", "published")
    refused(small, "expected --like with --to published only", "--like", small)


def test_a_target_that_is_there(published, refused, tmp_path):
    (tmp_path / "target").mkdir()
    refused(published, "remove it, or choose another name")


def test_weights_that_are_missing(source, refused):
    file = shard_of(source, BIAS)
    moved = file.rename(file.with_suffix(".away"))
    refused(source, f"expected file {file.name} in ")
    moved.rename(file)
    (source / "pytorch_model.bin.index.json").unlink()
    refused(source, "expected model.safetensors or pytorch_model.bin in")


def test_a_shard_that_was_cut_off(source, refused):
    file = shard_of(source, BIAS)
    file.write_bytes(file.read_bytes()[:-2000])
    refused(source, f"{file.name} to be a PyTorch file of tensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda t: t.update(extra=t[BIAS]), "expected only tensors of the published model, got", id="extra"
        ),
        pytest.param(
            lambda t: t.update({BIAS.replace("bias", "offset"): t.pop(BIAS)}),
            BIAS.replace("bias", "offset"),
            id="renamed",
        ),
        pytest.param(lambda t: t.pop(BIAS), f"expected {BIAS} in the published checkpoint, got none", id="missing"),
        pytest.param(lambda t: t.update({BIAS: t[BIAS][:-1]}), f"expected {BIAS} of shape [48], got [47]", id="shape"),
        pytest.param(
            lambda t: t.update({BIAS: t[BIAS] * torch.nan}), "got NaN or infinity in projector", id="not-finite"
        ),
    ],
)
def test_tensors_that_do_not_fit(change, message, source, refused):
    rewrite(source, BIAS, change)
    refused(source, message)


@pytest.mark.parametrize("path", [[], ["vis_encoder_config"], ["llm_config"], [DETECTOR, "backbone_config"], [POSE]])
@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("surprise", "unknown key {place}"),
        ("auto_map", "expected no key that chooses code in a configuration, got {place}"),
        ("trust_remote_code", "expected no key that chooses code in a configuration, got {place}"),
    ],
)
def test_keys_at_any_depth(path, key, message, source, refused, visionllm, tmp_path):
    def change(raw: dict[str, Any]) -> None:
        for name in path:
            raw = raw[name]
        raw[key] = {"AutoModel": "x.Y"}

    settings(source, change)
    place = ".".join(["config", *path, key])
    refused(source, message.format(place=place))
    ran = visionllm("convert", source, tmp_path / "target", "--ignore", place, "--plan")
    assert ran.code == (0 if key == "surprise" else 2)
    assert key != "surprise" or f"{place} is passed over, as you asked" in " ".join(ran.err.split())


def test_widths_that_do_not_match(source, refused):
    settings(source, lambda raw: raw[DETECTOR].update(l_hidden_size=64))
    refused(source, f"expected config.{DETECTOR}.l_hidden_size to be 48, as config.llm_config.hidden_size says, got 64")
    settings(source, lambda raw: raw[DETECTOR].update(l_hidden_size=48))
    settings(source, lambda raw: raw["vis_encoder_config"].update(hidden_size=64))
    refused(source, "of shape [")


def test_a_tokenizer_with_other_ids(source, refused):
    def change(raw: dict[str, Any]) -> None:
        tokens = raw["added_tokens_decoder"]
        tokens["652"], tokens["653"] = tokens["653"], tokens["652"]

    settings(source, change, "tokenizer_config.json")
    refused(source, "expected [DET] with the id 652 in the tokenizer of")


def test_a_tokenizer_that_is_missing_or_brings_code(source, refused):
    settings(source, lambda raw: raw.update(auto_map={"AutoTokenizer": ["a.B", None]}), "tokenizer_config.json")
    refused(source, "expected no key that chooses code in a configuration, got tokenizer_config.json.auto_map")
    (source / "tokenizer.model").unlink()
    (source / "tokenizer_config.json").unlink()
    refused(source, "expected file tokenizer_config.json in")


class Gadget:
    """Does something when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


class Late:
    """Does something when its state is set."""

    def __init__(self, gadget: Gadget) -> None:
        self.gadget = gadget

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (), None, None, iter([("a", self.gadget)])


def gadgets(mark: Path) -> dict[str, Any]:
    """Return objects each of which leaves a mark if it is run."""
    touch = f"open({str(mark)!r}, 'w').close()"
    system = Gadget(os.system, f"touch {mark}")
    return {
        "system": system,
        "eval": Gadget(eval, f"__import__('os').system('touch {mark}')"),
        "exec": Gadget(exec, touch),
        "process": Gadget(subprocess.call, ["touch", str(mark)]),
        "method": Gadget(Path.touch, mark),
        "open": Gadget(open, str(mark), "w"),
        "nested load": Gadget(pickle.loads, pickle.dumps(Gadget(exec, touch))),
        "late": Late(Gadget(exec, touch)),
        "beside tensors": {BIAS: torch.zeros(48), "extra": [system]},
        "in a key": {(1, system): torch.zeros(1)},
        "as a dtype": Gadget(_rebuild_tensor_v2, Gadget(exec, touch), 0, (1,), (1,), False, {}),
    }


@pytest.mark.parametrize("name", list(gadgets(Path("mark"))))
def test_each_gadget_would_do_something(name, tmp_path):
    with contextlib.suppress(TypeError, AttributeError, pickle.UnpicklingError):
        pickle.loads(pickle.dumps(gadgets(tmp_path / "mark")[name]))  # noqa: S301 – the test made it
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("form", ["zip", "old", "plain", "renamed"])
@pytest.mark.parametrize("name", list(gadgets(Path("mark"))))
def test_code_in_a_pickle_is_never_run(name, form, source, refused, tmp_path):
    mark = tmp_path / "mark"
    thing, file = gadgets(mark)[name], shard_of(source, BIAS)
    if form == "plain":
        file.write_bytes(pickle.dumps(thing, protocol=2))
    else:
        torch.save(thing, file, _use_new_zipfile_serialization=form != "old")
    if form == "renamed":
        file.rename(source / "model.safetensors")
        file = source / "model.safetensors"
        (source / "pytorch_model.bin.index.json").unlink()
    refused(source, f"{file.name}")
    assert not mark.exists()


def test_files_that_hold_no_weights_are_not_opened(source, visionllm, tmp_path):
    mark = tmp_path / "mark"
    for name in ("training_args.bin", "optimizer.pt", "rng_state.pth"):
        torch.save(Gadget(os.system, f"touch {mark}"), source / name)
    (source / "modeling_visionllmv2.py").write_text(f"open({str(mark)!r}, 'w').close()")
    assert visionllm("convert", source, tmp_path / "target", "--json").code == 0
    assert not mark.exists()
    kept = {f.name for f in (tmp_path / "target").rglob("*") if f.is_file()}
    assert not {f for f in kept if f.endswith((".py", ".bin", ".pt", ".pth"))}


def test_a_zip_bomb_of_names_does_not_leave_its_folder(source, refused):
    file = shard_of(source, BIAS)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../outside/data.pkl", pickle.dumps({BIAS: 1}))
    refused(source, file.name)
    settings(source, lambda raw: raw["weight_map"].update({BIAS: "../outside.bin"}), "pytorch_model.bin.index.json")
    refused(source, "expected names of files beside")


def test_a_conversion_that_is_cut_off_leaves_no_target_and_goes_on(source, visionllm, tmp_path, monkeypatch):
    write, count = shards.write_shard, []

    def stop(*given: Any) -> None:
        if len(count) == 2:
            raise KeyboardInterrupt
        count.append(given[0])
        write(*given)

    go = ("convert", source, tmp_path / "target", "--shard-size", "500KB")
    with monkeypatch.context() as patched:
        patched.setattr(conversion, "write_shard", stop)
        assert visionllm(*go).code == 130
    assert not (tmp_path / "target").exists()
    (kept,) = tmp_path.glob(".target*")
    times = {f.name: f.stat().st_mtime_ns for f in kept.glob("*.safetensors")}
    assert len(times) == 2
    assert visionllm(*go).code == 0
    assert all((tmp_path / "target" / name).stat().st_mtime_ns == at for name, at in times.items())
    assert not list(tmp_path.glob(".target*"))


def test_a_full_disk_is_one_line_that_tells_how_to_go_on(source, visionllm, tmp_path, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "write_shard", full)
    ran = visionllm("convert", source, tmp_path / "target")
    assert ran.code == 2
    assert "is full (No space left on device); make room and run the same again" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "target").exists()


def test_a_damaged_folder_of_ours_does_not_go_back(published, visionllm, refused, tmp_path):
    ours = tmp_path / "ours"
    assert visionllm("convert", published, ours, "--json").code == 0
    weights = ours / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    refused(ours, "model.safetensors as it was saved, got a damaged file", "--to", "published")
    refused(ours, "expected --like to be a published folder", "--to", "published", "--like", tmp_path / "none")
