"""`visionllm convert` there and back."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.weights.synthetic import published_folder
from tests.weights.test_published_config import understood
from visionllm.cli import convert as command
from visionllm.weights.convert import KEPT
from visionllm.weights.published_schema import PUBLISHED

FILES = ("tokenizer.model", "tokenizer_config.json", "preprocessor_config.json", "generation_config.json")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    folder = published_folder(tmp_path_factory.mktemp("models") / "published")
    pictures = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "do_resize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    (folder / "generation_config.json").write_text('{"bos_token_id": 1}\n')
    return folder


@pytest.fixture
def ours(published, visionllm, tmp_path) -> Path:
    assert visionllm("convert", published, tmp_path / "ours", "--json").code == 0
    return tmp_path / "ours"


def test_the_published_folder_becomes_a_model_that_can_be_asked(published, visionllm, image, tmp_path):
    ran = visionllm("convert", published, tmp_path / "ours", "--shard-size", "500KB")
    assert ran.code == 0
    assert "tensors of" in ran.out and "are copies of shared ones, and equal to them" in ran.out
    assert "are dropped: each follows from the size of the window" in ran.out
    assert "checksums, shapes and every number were compared with the source" in ran.out
    assert f"--model {tmp_path / 'ours'}" in " ".join(ran.out.split())
    assert "notice: the sizes of the pose decoder's backbone come from its weights" in ran.err
    assert len(list((tmp_path / "ours").glob("*.safetensors"))) > 3
    assert {f.name for f in tmp_path.iterdir()} == {"in", "ours"}
    asked = visionllm("run", "What is it?", image, "--model", tmp_path / "ours", "--max-new-tokens", "4", "--json")
    assert asked.code == 0
    straight = visionllm("run", "What is it?", image, "--model", published, "--max-new-tokens", "4", "--json")
    assert json.loads(straight.out)["text"] == json.loads(asked.out)["text"]


def test_the_way_back_has_the_same_configuration_and_the_same_files(published, ours, visionllm, tmp_path):
    ran = visionllm("convert", ours, tmp_path / "back", "--to", "published", "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["layout"] == "published" and told["verified"] is True
    assert told["tensors"]["made"] > 0
    raw, back = (json.loads((folder / "config.json").read_text()) for folder in (published, tmp_path / "back"))
    expected = understood(raw, PUBLISHED)
    assert {path: understood(back, PUBLISHED).get(path) for path in expected} == expected
    assert {k: back[k] for k in raw if not isinstance(raw[k], dict)} == {
        k: v for k, v in raw.items() if not isinstance(v, dict)
    }
    for name in FILES:
        assert (tmp_path / "back" / name).read_bytes() == (published / name).read_bytes()
        assert (ours / KEPT / name).read_bytes() == (published / name).read_bytes()
    assert visionllm("convert", tmp_path / "back", tmp_path / "again", "--json").code == 0
    weights, again = (load_file(tmp_path / name / "model.safetensors") for name in ("ours", "again"))
    assert weights.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    for name in ("config.json", "processor_config.json", "tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (ours / name).read_bytes(), name


def test_a_model_that_kept_no_files_takes_them_from_a_folder(published, ours, visionllm, tmp_path):
    from visionllm import VisionLLM
    from visionllm.weights import save_model

    loaded = VisionLLM.load(ours, device="cpu")
    save_model(loaded.model, loaded.processor, tmp_path / "tuned")
    ran = visionllm("convert", tmp_path / "tuned", tmp_path / "back", "--to", "published")
    assert ran.code == 2
    assert "expected tokenizer.model in" in ran.err and "name the published folder with --like" in ran.err
    assert not (tmp_path / "back").exists()
    go = ("convert", tmp_path / "tuned", tmp_path / "back", "--to", "published")
    assert visionllm(*go, "--like", published).code == 0
    assert (tmp_path / "back" / "tokenizer.model").read_bytes() == (published / "tokenizer.model").read_bytes()
    assert json.loads((tmp_path / "back" / "config.json").read_text())["_name_or_path"] == "work_dirs/tiny"
    bare = visionllm("convert", tmp_path / "tuned", tmp_path / "bare", "--to", "published", "--no-processor")
    assert bare.code == 0
    assert "without a published config.json to start from (--like)" in " ".join(bare.err.split())
    assert not (tmp_path / "bare" / "tokenizer.model").exists()


def test_a_plan_writes_nothing(published, visionllm, tmp_path):
    ran = visionllm("convert", published, tmp_path / "ours", "--plan", "--json")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told["target"] is None and "bytes" not in told
    assert told["tensors"]["dropped"]["follows from the size of the window"] > 0
    assert not list(tmp_path.iterdir())
    assert "nothing was written" in visionllm("convert", published, tmp_path / "ours", "--plan").out


def test_a_check_can_be_left_out_and_is_told(published, visionllm, tmp_path):
    ran = visionllm("convert", published, tmp_path / "ours", "--no-verify", "--no-processor")
    assert "nothing was compared (--no-verify)" in ran.out
    assert "the folder gets no processor, as you asked" in ran.err
    assert not (tmp_path / "ours" / "processor_config.json").exists()


@pytest.mark.parametrize(("text", "size"), [("5GB", 5 * 10**9), ("1.5 mb", 1_500_000), ("700", 700), ("2KB", 2000)])
def test_sizes_are_read(text, size):
    assert command._bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "5TB", "five", "0", "inf GB", "nan"])
def test_other_sizes_are_refused(text, visionllm, tmp_path):
    ran = visionllm("convert", tmp_path, tmp_path / "ours", f"--shard-size={text}")
    assert (ran.code, ran.out) == (2, "")
    assert f"expected --shard-size such as 500MB or 5GB, got {text!r}" in ran.err
