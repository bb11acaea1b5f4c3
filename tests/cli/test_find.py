"""`visionllm find`."""

import json

import pytest
from PIL import Image

from tests.small import picture


@pytest.fixture
def example(tmp_path):
    file = tmp_path / "example.png"
    picture(seed=1).save(file)
    return file


def test_things_like_the_examples_are_marked_in_every_picture(visionllm, small, image, example, tmp_path):
    out = tmp_path / "found"
    out.mkdir()
    arguments = ("find", image, example, "-e", f"{example}@2,2,20,20", "--model", small, "--threshold", 0)
    ran = visionllm(*arguments, "--json", "--out", out, "--sheet", tmp_path / "page.png")
    first, second = json.loads(ran.out)["pictures"]
    assert first["instances"][0]["label"] == "such thing"
    assert {Image.open(place["out"]).size for place in (first, second)} == {(240, 160)}
    assert Image.open(tmp_path / "page.png").height > Image.open(first["out"]).height
    assert visionllm(*arguments).out.startswith(f"{image}: ")


def test_examples_are_kept_and_used_again(visionllm, small, image, example, tmp_path):
    kept = tmp_path / "kept.safetensors"
    common = ("find", image, "--model", small, "--threshold", 0, "--json")
    one = visionllm(*common, "-e", f"{example}@5,5", "-l", "bolt", "--save-examples", kept)
    two = visionllm(*common, "--use-examples", kept)
    assert json.loads(one.out) == json.loads(two.out)
    assert json.loads(one.out)["pictures"][0]["instances"][0]["label"] == "bolt"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected --example FILE@X0,Y0,X1,Y1 or FILE@X,Y, or --use-examples, and not both"),
        (("-e", "EXAMPLE"), "expected --example FILE@X0,Y0,X1,Y1 or FILE@X,Y, got"),
        (("-e", "EXAMPLE@1,2,3"), "expected --example FILE@X0,Y0,X1,Y1 or FILE@X,Y, got"),
        (("-e", "EXAMPLE@1,1", "-l", "a", "-l", "b"), "expected 1 labels, one per example, got 2"),
        (("-e", "EXAMPLE@99,1"), "region 0: expected a point inside the 60×40 picture"),
        (("-e", "EXAMPLE@1,1", "--out", "nowhere"), "expected --out to be a folder that exists, got 'nowhere'"),
        (("-e", "EXAMPLE@1,1") * 6, "expected 1 to 5 examples, got 6"),
    ],
)
def test_examples_that_say_nothing_are_refused(visionllm, image, example, arguments, message):
    ran = visionllm("find", image, *(word.replace("EXAMPLE", str(example)) for word in arguments))
    assert ran.code == 2
    assert message in ran.err
