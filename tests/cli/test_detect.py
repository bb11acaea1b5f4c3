"""`visionllm detect`, `segment` and `refer`."""

import json

import pytest
from PIL import Image


def test_boxes_of_known_classes_are_printed(visionllm, small, image):
    ran = visionllm("detect", image, "star", "red fish", "--model", small, "--threshold", 0)
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["label", "score", "x0", "y0", "x1", "y1"]
    assert "red fish" in ran.out or "star" in ran.out


def test_nothing_found_says_so(visionllm, small, image):
    assert visionllm("detect", image, "star", "--model", small, "--threshold", 1).out == "nothing found\n"


def test_overlapping_boxes_of_a_class_are_merged_when_asked(visionllm, small, image):
    def count(*options: object) -> int:
        ran = visionllm("detect", image, "star", "--model", small, "--threshold", 0, "--json", *options)
        return len(json.loads(ran.out)["instances"])

    assert count("--nms-iou", 0) <= count()


def test_masks_of_known_classes_are_json(visionllm, small, image):
    ran = visionllm("segment", image, "star", "fish", "--model", small, "--threshold", 0, "--json")
    plain = json.loads(ran.out)
    assert plain["classes"] == ["star", "fish"]
    mask = plain["instances"][0]["mask"]
    assert mask["size"] == [40, 60] and sum(mask["counts"]) == 40 * 60


def test_masks_of_regions_come_one_a_region(visionllm, small, image):
    ran = visionllm("segment", image, "--point", "3,4", "--box", "1,1,20,20", "--model", small, "--json")
    assert [i["label"] for i in json.loads(ran.out)["instances"]] == ["region1", "region2"]


def test_a_phrase_finds_at_most_one_thing(visionllm, small, image, tmp_path):
    out = tmp_path / "found.jpg"
    ran = visionllm("refer", image, "the red fish", "--model", small, "--threshold", 0, "--json", "--out", out)
    assert [i["label"] for i in json.loads(ran.out)["instances"]] == ["the red fish"]
    assert Image.open(out).format == "JPEG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("detect", "IMAGE"), "expected a list of at least one class name, got []"),
        (("segment", "IMAGE"), "expected a list of at least one class name, got []"),
        (("detect", "IMAGE", "star", "star"), "expected different class names, got 'star' twice"),
        (("segment", "IMAGE", "star", "--point", "1,1"), "expected classes or regions, got 1 classes and 1 regions"),
        (("refer", "IMAGE", " "), "expected a phrase with words, got ' '"),
        (("segment", "IMAGE", "--point", "100,1"), "region 0: expected a point inside the 60×40 picture"),
    ],
)
def test_questions_that_say_nothing_are_refused_before_a_model_is_loaded(arguments, message, visionllm, image):
    given = [image if word == "IMAGE" else word for word in arguments]
    ran = visionllm(*given, "--model", "/nothing/here")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"visionllm: error: {message}")
