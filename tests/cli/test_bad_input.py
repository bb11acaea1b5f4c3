"""Bad input: each is one clear line, exit code 2, and nothing is left behind."""

import hashlib
import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.small import picture

pytestmark = pytest.mark.faults


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
        + chunk(b"IEND", b"")
    )


def refused(ran, folder: Path, message: str) -> None:
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("visionllm: error: ") and ran.err.count("\n") == 1
    assert message in ran.err
    assert sorted(file.name for file in folder.iterdir()) == ["in"], "something was left behind"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "expected a picture file, got no file", id="missing"),
        pytest.param(b"hello, I am text", "expected a picture in one of the formats", id="not-a-picture"),
        pytest.param(b"", "expected a picture in one of the formats", id="empty"),
        pytest.param("cut", "expected a whole picture", id="truncated"),
        pytest.param(bomb(60_000, 60_000), "pixels, got", id="bomb"),
    ],
)
@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_file_that_is_no_good_picture(content, message, json_wanted, visionllm, tmp_path):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "bad.png"
    if content == "cut":
        picture(200, 200).save(file)
        file.write_bytes(file.read_bytes()[:5000])
    elif content is not None:
        file.write_bytes(content)
    out = ("--out", tmp_path / "found.png", *(["--json"] if json_wanted else []))
    for command in (("run", "How many?", file), ("detect", file, "star"), ("caption", file), ("refer", file, "it")):
        refused(visionllm(*command, *out, "--model", "/nothing/here"), tmp_path, message)


def test_a_picture_of_one_pixel_is_answered(visionllm, small, tmp_path):
    file = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), "red").save(file)
    ran = visionllm("detect", file, "star", "--model", small, "--json", "--out", tmp_path / "found.png")
    assert ran.code == 0
    assert json.loads(ran.out)["size_hw"] == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["run", " ", "IMAGE"], "expected a question with words, got ' '", id="empty-prompt"),
        pytest.param(["detect", "IMAGE"], "expected a list of at least one class name, got []", id="no-classes"),
        pytest.param(["detect", "IMAGE", "a", "a"], "expected different class names, got 'a' twice", id="same-classes"),
        pytest.param(["run", "x", "IMAGE", "--point", "99,1"], "region 0: expected a point inside", id="outside"),
        pytest.param(["run", "x", "IMAGE", "--box", "50,30,70,39"], "region 0: expected a box", id="box-outside"),
        pytest.param(
            ["run", "x", "IMAGE", "--polygon", "1,1 2,2"], "a polygon of at least 3 points, got 2", id="polygon"
        ),
        pytest.param(
            ["run", "x", "IMAGE", "--scribble", "1,1"], "a scribble of at least 2 points, got 1", id="scribble"
        ),
        pytest.param(["run", "x", "IMAGE", "--mask", "EMPTY"], "region 0: expected a mask", id="empty-mask"),
        pytest.param(["run", "x", "--point", "1,1"], "expected a picture for 1 regions, got none", id="no-picture"),
        pytest.param(["run", "x", "IMAGE", "--model", "nope"], "expected the folder of a model", id="unknown-model"),
    ],
)
def test_a_question_that_cannot_be_asked(arguments, message, visionllm, image, tmp_path):
    empty = image.with_name("empty.png")
    Image.new("L", (60, 40)).save(empty)
    names = {"IMAGE": image, "EMPTY": empty}
    given = [names.get(word, word) for word in arguments]
    refused(visionllm(*given, "--out", tmp_path / "found.png"), tmp_path, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["run", "star " * 700, "IMAGE"], "expected a conversation of at most 512 tokens", id="long-prompt"
        ),
        pytest.param(["run", "x", *["IMAGE"] * 9], "expected at most 8 pictures, got 9", id="many-pictures"),
        pytest.param(["run", "x", "IMAGE", "--device", "abacus"], "expected a device that is there", id="device"),
        pytest.param(["detect", "IMAGE", "star " * 600], "tokens", id="long-class"),
        pytest.param(["run", "x"], "expected a picture to draw on for --out, got none", id="nothing-to-draw"),
    ],
)
def test_a_question_that_this_model_cannot_read(arguments, message, visionllm, small, image, tmp_path):
    given = [image if word == "IMAGE" else word for word in arguments]
    refused(visionllm(*given, "--model", small, "--out", tmp_path / "found.png"), tmp_path, message)


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir(exist_ok=True)
    return Path(shutil.copytree(small, tmp_path / "in" / "copy"))


def sign(folder: Path, name: str) -> None:
    """Let the manifest agree with a file that was changed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / name).read_bytes()
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def asked(visionllm, image: Path, model: Path, folder: Path, message: str) -> None:
    refused(visionllm("run", "x", image, "--model", model, "--out", folder / "found.png"), folder, message)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "processor_config.json"])
def test_a_checkpoint_that_lacks_a_file(name, visionllm, image, copy, tmp_path):
    (copy / name).unlink()
    asked(visionllm, image, copy, tmp_path, name)


def test_a_checkpoint_that_was_cut_off(visionllm, image, copy, tmp_path):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    asked(visionllm, image, copy, tmp_path, "got a damaged file")
    sign(copy, weights.name)
    asked(visionllm, image, copy, tmp_path, "to be a safetensors file")


def test_a_checkpoint_whose_weights_are_not_finite(visionllm, image, copy, tmp_path):
    weights = copy / "model.safetensors"
    tensors = load_file(weights)
    name = next(n for n, tensor in tensors.items() if tensor.is_floating_point() and "language_model" in n)
    tensors[name].view(-1)[0] = torch.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    sign(copy, weights.name)
    asked(visionllm, image, copy, tmp_path, f"got NaN or infinity in {name}")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("config.json", []),
        ("config.json", ["text_config"]),
        ("config.json", ["vision_config"]),
        ("config.json", ["decoders", "detection"]),
        ("config.json", ["decoders", "detection", "backbone"]),
        ("config.json", ["quirks"]),
        ("processor_config.json", []),
        ("processor_config.json", ["vision"]),
        ("processor_config.json", ["prompts"]),
    ],
)
def test_an_unknown_key_in_a_configuration_at_any_depth(name, path, visionllm, image, copy, tmp_path):
    settings = json.loads((copy / name).read_text())
    inner = settings
    for key in path:
        inner = inner[key]
    inner["surprise"] = 1
    (copy / name).write_text(json.dumps(settings))
    sign(copy, name)
    asked(visionllm, image, copy, tmp_path, "surprise")


def test_a_folder_that_is_no_model(visionllm, image, tmp_path):
    asked(visionllm, image, image.parent, tmp_path, "processor_config.json")
