"""`visionllm generate` and `visionllm edit`."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.small import save_small


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("models") / "full", full=True)


def test_a_new_picture_is_written(visionllm, full, tmp_path):
    out = tmp_path / "new.png"
    ran = visionllm("generate", "two red stars.", "--model", full, "--out", out, "--seed", 3)
    assert ran.out == "24×16 pixels, seed 3\n"
    assert ran.err.splitlines()[-1] == f"wrote {out}"
    assert Image.open(out).size == (24, 16)


def test_a_new_picture_has_the_size_steps_and_scheduler_that_are_asked_for(visionllm, full, tmp_path):
    out = tmp_path / "new.png"
    ran = visionllm(
        "generate", "a star", "--model", full, "--out", out, "--size", "32x24", "--steps", 1, "--guidance", 1,
        "--scheduler", "EulerDiscreteScheduler", "--json",
    )  # fmt: skip
    assert json.loads(ran.out) == {
        "caption": "a star",
        "size_hw": [24, 32],
        "seed": 0,
        "notices": [],
        "out": str(out),
    }


def test_a_changed_picture_keeps_the_ratio_of_the_old_one(visionllm, full, image, tmp_path):
    out = tmp_path / "edited.png"
    ran = visionllm("edit", image, "Make it blue", "--model", full, "--out", out, "--image-guidance", 1.5, "--json")
    assert json.loads(ran.out)["wish"] == "Make it blue"
    width, height = Image.open(out).size
    assert 1.3 < width / height < 1.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", " ."), "expected words for a picture, got ' .'"),
        (("edit", "IMAGE", ""), "expected words for a picture, got ''"),
        (("generate", "a star", "--size", "32"), "expected --size as WIDTHxHEIGHT in pixels, such as 96x64, got '32'"),
        (("generate", "a star", "--scheduler", "Magic"), "expected a scheduler among DDIMScheduler"),
        (("generate", "a star", "--steps", "0"), "Input should be greater than or equal to 1"),
        (("generate", "a star", "--guidance", "-1"), "Input should be greater than or equal to 0"),
        (("generate", "a star", "--model", "SMALL"), "expected a model that makes pictures"),
        (("edit", "IMAGE", "Make it blue", "--model", "SMALL"), "expected a model that makes pictures"),
        (("generate", "a star", "--model", "FULL", "--size", "33x24"), "expected a picture size of multiples of 2"),
    ],
)
def test_what_cannot_be_made_is_refused(visionllm, full, small, image, tmp_path, arguments, message):
    names = {"IMAGE": image, "SMALL": small, "FULL": full}
    out = tmp_path / "new.png"
    ran = visionllm(*(names.get(word, word) for word in arguments), "--out", out)
    assert ran.code == 2
    assert message in ran.err
    assert not out.exists()


def test_a_region_is_changed_and_nothing_else(visionllm, full, image, tmp_path):
    out = tmp_path / "edited.png"
    visionllm("edit", image, "Make this blue", "--box", "0,0,20,40", "--model", full, "--out", out)
    new, old = np.asarray(Image.open(out)), np.asarray(Image.open(image).convert("RGB"))
    np.testing.assert_array_equal(new[:, 20:], old[:, 20:])
