"""`visionllm run` and `visionllm caption`."""

import json

import pytest
from PIL import Image

from tests.small import small_processor, written
from visionllm.predictor import core

STAR = ("Here you go: ", "<det>", "star", "</det>", "[DET]", ".")


@pytest.fixture
def routed(monkeypatch):
    """Let the model route one word, whatever it is asked."""
    vocabulary = small_processor().vocabulary

    def generate(model, inputs, options, **_):
        return [written(vocabulary, *STAR) for _ in inputs.input_ids]

    monkeypatch.setattr(core, "generate", generate)


def test_an_answer_is_printed_with_its_instances(visionllm, small, image, routed):
    ran = visionllm("run", "Find the star.", image, "--model", small, "--threshold", 0)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "Here you go: star."
    assert "label" in lines[1] and "star" in lines[2]


def test_json_is_one_object_whose_instances_have_label_score_and_box(visionllm, small, image, routed):
    ran = visionllm("run", "Find the star.", image, "--model", small, "--threshold", 0, "--json")
    plain = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    assert plain["text"] == "Here you go: star."
    assert plain["question"] == "Find the star." and plain["images"] == [str(image)]
    assert plain["space"].startswith("xyxy pixels") and plain["size_hw"] == [40, 60]
    instance = plain["instances"][0]
    assert instance["label"] == "star" and 0 <= instance["score"] <= 1
    x0, y0, x1, y1 = instance["box"]
    assert 0 <= x0 <= x1 <= 60 and 0 <= y0 <= y1 <= 40
    assert instance["span"] == [13, 17]
    assert plain["out"] is None


def test_an_answer_without_instances_is_json_too(visionllm, small, image):
    ran = visionllm("run", "How many?", image, "--model", small, "--json", "--max-new-tokens", 3)
    plain = json.loads(ran.out)
    assert plain["instances"] == [] and plain["finish_reason"] == "length" and plain["tokens"] == 3


def test_the_annotated_picture_is_written(visionllm, small, image, routed, tmp_path):
    out = tmp_path / "found.png"
    ran = visionllm("run", "Find the star.", image, "--model", small, "--out", out, "--point", "3,4")
    assert ran.code == 0
    assert f"wrote {out}" in ran.err.replace("\n", "")
    assert Image.open(out).width > 60
    assert sorted(file.name for file in tmp_path.iterdir()) == ["found.png", "in"]


def test_every_way_of_pointing_is_taken(visionllm, small, image, tmp_path):
    mask = tmp_path / "mask.png"
    white = Image.new("L", (60, 40))
    white.paste(255, (10, 10, 20, 20))
    white.save(mask)
    ran = visionllm(
        *("run", "Compare.", image, "--model", small, "--max-new-tokens", 2, "--json"),
        *("--box", "1,2,30,20", "--point", "3,4", "--point", "5,6"),
        *("--scribble", "1,1 20,20 30,10", "--polygon", "1,1 20,1 9,30", "--mask", mask),
    )
    assert ran.code == 0, ran.err


def test_a_question_needs_no_picture_and_may_have_several(visionllm, small, image):
    few = ("--model", small, "--max-new-tokens", 2, "--json")
    assert json.loads(visionllm("run", "Hello.", *few).out)["images"] == []
    assert len(json.loads(visionllm("run", "Compare.", image, image, *few).out)["images"]) == 2


def test_the_same_seed_samples_the_same_answer(visionllm, small, image):
    def sampled(seed: int) -> str:
        options = ("--temperature", 1, "--seed", seed, "--max-new-tokens", 8)
        return visionllm("run", "How many?", image, "--model", small, *options).out

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)


def test_a_picture_is_described(visionllm, small, image, tmp_path):
    out = tmp_path / "told.webp"
    ran = visionllm("caption", image, "--model", small, "--max-new-tokens", 3, "--json", "--out", out)
    plain = json.loads(ran.out)
    assert plain["question"] == small_processor().config.prompts.caption and plain["out"] == str(out)
    assert Image.open(out).format == "WEBP"
