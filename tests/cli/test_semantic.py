"""`visionllm semantic`."""

import json

import numpy as np
import pytest
from PIL import Image

from visionllm import VisionLLM
from visionllm.cli import semantic as command
from visionllm.rendering.palette import PALETTE
from visionllm.types.results import run_lengths

NAMES = ("star", "red fish", "boat", "cup")


@pytest.fixture
def expected(small, image):
    return VisionLLM.load(small, device="cpu").segment_semantic(image, NAMES)


def test_every_pixel_has_a_class_in_json_and_in_the_file(visionllm, small, image, expected, tmp_path):
    file, out = tmp_path / "classes.png", tmp_path / "tinted.png"
    ran = visionllm("semantic", image, *NAMES, "--model", small, "--json", "--map", file, "--out", out)
    plain = json.loads(ran.out)
    assert plain["space"] == "one class a pixel of the original image"
    assert (plain["size_hw"], plain["class_names"]) == ([40, 60], list(NAMES))
    assert [entry["label"] for entry in plain["classes"]] == list(expected.present)
    for entry in plain["classes"]:
        assert entry["mask"] == {"size": [40, 60], "counts": run_lengths(expected.mask(entry["label"]))}
    assert sum(sum(entry["mask"]["counts"][1::2]) for entry in plain["classes"]) == 40 * 60
    assert (plain["out"], plain["map"], plain["notices"]) == (str(out), str(file), [])
    written = Image.open(file)
    np.testing.assert_array_equal(np.asarray(written), expected.class_ids)
    assert written.convert("RGB").getpixel((7, 3)) == PALETTE[expected.class_ids[3, 7]]
    np.testing.assert_array_equal(np.asarray(Image.open(out)), np.asarray(expected.render(Image.open(image))))


def test_classes_are_printed_with_their_share(visionllm, small, image, expected):
    lines = [line.split() for line in visionllm("semantic", image, *NAMES, "--model", small).out.splitlines()]
    assert lines[0] == ["class", "pixels"]
    shares = [f"{expected.mask(name).mean():.1%}" for name in expected.present]
    assert [line[-1] for line in lines[1:]] == shares
    assert [int(line[0]) for line in lines[1:]] == [NAMES.index(name) for name in expected.present]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected a list of at least one class name, got []"),
        (("star", "star"), "expected different class names, got 'star' twice"),
        (("star", "--map", "map.jpg"), "expected --map with the suffix .png, which keeps every number, got 'map.jpg'"),
        (("star", "--map", "no/map.png"), "expected --map to be a file in a folder that exists, got 'no/map.png'"),
        (("star", "--out", "no/out.png"), "expected --out to be a file in a folder that exists, got 'no/out.png'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_model_is_loaded(visionllm, image, arguments, message):
    ran = visionllm("semantic", image, *arguments, "--model", "/nothing/here")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"visionllm: error: {message}\n"


def test_more_classes_than_a_file_tells_apart_are_refused(visionllm, small, image, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "MOST", 2)
    ran = visionllm("semantic", image, *NAMES, "--model", small, "--map", tmp_path / "map.png")
    assert "expected at most 2 classes for --map, got 4; --json holds any" in ran.err
    assert not (tmp_path / "map.png").exists()
