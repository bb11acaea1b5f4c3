"""`visionllm pose`."""

import json

import pytest
from PIL import Image

from tests.small import save_small


@pytest.fixture(scope="module")
def poser(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("models") / "poser", full=True)


def test_keypoints_are_json_and_drawn(visionllm, poser, image, tmp_path):
    out = tmp_path / "poses.png"
    ran = visionllm(
        "pose", image, "person", "-k", "nose", "-k", "left eye", "--model", poser, "--threshold", 0, "--json",
        "--out", out,
    )  # fmt: skip
    plain = json.loads(ran.out)
    assert plain["keypoints"] == ["nose", "left eye"] and plain["bones"] == [[1, 0]]
    assert [keypoint["name"] for keypoint in plain["instances"][0]["keypoints"]] == ["nose", "left eye"]
    assert Image.open(out).width > 60


def test_keypoints_are_printed_below_their_object(visionllm, poser, image):
    ran = visionllm("pose", image, "dog", "-k", "tail", "--model", poser, "--threshold", 0)
    first, second, *_ = ran.out.splitlines()
    assert first.startswith("1 dog 0.") and second.startswith("  tail ")


def test_nothing_found_says_so(visionllm, poser, image):
    assert visionllm("pose", image, "person", "--model", poser, "--threshold", 1).out == "nothing found\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected a list of at least one class name, got []"),
        (("door",), "expected the names of keypoints for 'door'"),
        (("person", "-k", "nose", "-k", "nose"), "expected different keypoint names, got 'nose' twice"),
    ],
)
def test_questions_that_say_nothing_are_refused(visionllm, image, arguments, message):
    ran = visionllm("pose", image, *arguments)
    assert ran.code == 2
    assert message in ran.err
