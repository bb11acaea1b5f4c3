"""`visionllm build`."""

import json
from pathlib import Path

import pytest

from tests.weights.building.parts import grounding_dino, write, write_clip, write_llama
from visionllm.predictor import VisionLLM


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("parts")
    return {
        "--vision": write_clip(folder / "clip"),
        "--language": write_llama(folder / "llama"),
        "--detection": write(grounding_dino(), folder / "dino"),
    }


def given(parts: dict[str, Path]) -> list[object]:
    return [word for option in parts.items() for word in option]


def test_a_model_is_built_and_told(visionllm, parts, tmp_path):
    ran = visionllm("build", tmp_path / "model", *given(parts))
    assert ran.code == 0, ran.err
    said = " ".join(ran.out.split())
    assert ran.out.endswith(f"{tmp_path / 'model'}\n")
    assert "dropped: the text tower: query groups take the place of its words" in said
    assert "new: mask branch of the detector" in said
    assert "316 rows of vocabulary, 26 new tokens; slots: 4 det, 4 pose, 64 gen, 64 edit" in said
    assert "notice: the tokenizer has no pad_token: rows are filled with <unk>" in " ".join(ran.err.split())
    assert VisionLLM.load(tmp_path / "model", device="cpu").decoders == ("detection",)


def test_a_plan_is_one_json_object_and_writes_nothing(visionllm, parts, tmp_path):
    options = ("--dtype", "bfloat16", "--no-regions", "--plan", "--json")
    ran = visionllm("build", tmp_path / "model", *given(parts), *options)
    assert ran.code == 0, ran.err
    plain = json.loads(ran.out)
    assert plain["bytes"] == 2 * plain["parameters"]
    assert (plain["written"], [part["part"] for part in plain["parts"]]) == (
        False,
        ["vision", "language", "detection", "link"],
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.faults
def test_a_part_that_is_no_such_part_is_named(visionllm, parts, tmp_path):
    ran = visionllm("build", tmp_path / "model", *given(parts | {"--detection": parts["--vision"]}))
    assert ran.code == 2
    assert "visionllm: error: detection part: expected model_type 'grounding-dino' in " in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.faults
def test_a_folder_that_is_there_is_left_alone(visionllm, parts, tmp_path):
    ran = visionllm("build", tmp_path, *given(parts))
    assert ran.code == 2
    assert "expected no " in ran.err


def test_the_help_teaches(visionllm):
    ran = visionllm("build", "--help")
    said = " ".join(ran.out.replace("│", " ").split())
    for words in ("Nothing is downloaded", "--detection grounding-dino-tiny", "--plan", "has to be trained"):
        assert words in said
