"""`visionllm eval`."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from visionllm.cli.eval import app
from visionllm.predictor import VisionLLM
from visionllm.training.experts import Experts
from visionllm.types import Answer, GeneratedImages, Poses


class Monotone:
    """Says the same to everything."""

    decoders = ("detection",)

    def __init__(self):
        self.asked = 0

    def answer(self, requests, *, batch_size=8):
        self.asked += len(requests)
        return [Answer(text="Yes.") for _ in requests]


@pytest.fixture
def loaded(monkeypatch):
    calls = []

    def load(model=None, *, device=None):
        calls.append((model, device))
        return Monotone()

    monkeypatch.setattr(VisionLLM, "load", load)
    return calls


def run(*arguments):
    return CliRunner().invoke(app, ["world", *arguments], env={"COLUMNS": "160"})


def test_scores_are_printed_as_a_table(loaded):
    result = run("--group", "talk", "--pictures", "2", "--seed", "5", "--model", "folder", "--device", "cpu")
    assert result.exit_code == 0
    assert "test, seed 5, 2 pictures a family" in result.stdout
    assert "weakest_margin" in result.stdout
    assert loaded == [("folder", "cpu")]


def test_scores_are_written_as_json(loaded, tmp_path):
    path = tmp_path / "scores.json"
    assert run("--group", "talk", "--pictures", "2", "--mode", "free", "--json", str(path)).exit_code == 0
    scores = json.loads(path.read_text())
    assert scores["verify"]["questions"] == 2
    assert (scores["split"], scores["seed"], scores["pictures"]) == ("test", 0, 2)
    assert scores["seconds"] >= 0


def test_groups_may_be_repeated_or_joined(loaded):
    once = run("--group", "talk,segment", "--pictures", "1").stdout
    assert (
        run("--group", "talk", "--group", "segment", "--pictures", "1").stdout.splitlines()[1:] == once.splitlines()[1:]
    )
    assert "segment-instances" in once
    assert "region-caption" not in once


def test_other_splits_are_compared_with_test(loaded, tmp_path):
    path = tmp_path / "scores.json"
    result = run("--group", "talk", "--pictures", "1", "--split", "crowded,hand-drawn", "--json", str(path))
    assert "relative to test" in result.stdout
    assert list(json.loads(path.read_text())["splits"]) == ["test", "crowded", "hand-drawn"]
    assert len(loaded) == 1


def test_groups_of_version_2_are_chosen_by_themselves(loaded):
    result = run("--group", "read", "--pictures", "1", "--mode", "free")
    assert result.exit_code == 0
    assert "read-marked" in result.stdout and "region-caption" not in result.stdout


def test_what_the_model_has_no_decoder_for_is_skipped_with_a_notice(loaded):
    result = run("--group", "pose,draw,example", "--pictures", "1", "--mode", "free")
    assert result.exit_code == 0
    assert "pose was skipped: the model has no decoder for pose." in result.stdout
    assert "draw was skipped: the model has no decoder for generation." in result.stdout
    assert "example-count" in result.stdout


def test_two_models_are_asked_the_same_and_compared(loaded, tmp_path):
    path = tmp_path / "differences.json"
    few = ("--group", "talk", "--pictures", "2", "--spread", "2")
    result = run("--model", "new", "--compare", "old", *few, "--json", str(path))
    assert result.exit_code == 0
    assert [name for name, _ in loaded] == ["new", "old"]
    plain = json.loads(path.read_text())
    assert plain["models"] == ["new", "old"]
    assert plain["differences"]["talk"]["exact"] == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert "difference" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--version", "3"], "expected one of the versions 1, 2, got 3"),
        (["--version", "1", "--group", "pose"], "expected groups out of .*, got pose"),
        (["--steps", "0"], "expected a positive number as steps, got 0"),
        (["--spread", "0"], "expected a positive number as spread, got 0"),
        (["--compare", "old", "--split", "test,crowded"], "expected one split when two models are compared"),
        (["--group", "poetry"], "expected groups out of .*, got poetry"),
        (["--split", "dev"], "expected one of train, .* as split, got 'dev'"),
        (["--split", ","], "as split, got ','"),
        (["--seed", "-1"], "as seed, got -1"),
        (["--pictures", "0"], "as pictures, got 0"),
        (["--threshold", "2"], "as threshold, got 2.0"),
        (["--json", "no/such/scores.json"], "expected a folder for scores.json, got .*no/such, which is not there"),
    ],
)
def test_bad_input_is_refused_before_a_model_is_loaded(loaded, arguments, message):
    with pytest.raises(ValueError, match=message):
        CliRunner().invoke(app, ["world", *arguments], catch_exceptions=False)
    assert loaded == []


def test_an_unknown_mode_is_refused(loaded):
    assert run("--mode", "loud").exit_code == 2


def test_help_teaches_with_examples():
    text = " ".join(CliRunner().invoke(app, ["world", "--help"]).stdout.split())
    assert "visionllm eval world --group talk,refer --pictures 100 --seed 3" in text
    assert "visionllm eval world --version 2" in text
    assert "visionllm eval world --group draw,edit,ceiling --steps 8" in text


def test_help_needs_no_torch():
    code = "import sys, visionllm.cli.eval; sys.exit('torch' in sys.modules or 'rich.progress' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Blind(Monotone):
    """Finds no poses, and draws grey squares."""

    decoders = ("pose", "generation")

    def pose(self, image, classes, keypoints=None, *, options=None):
        return Poses(
            boxes=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            class_ids=np.zeros(0, np.int64),
            keypoints=np.zeros((0, 1, 2), np.float32),
            keypoint_scores=np.zeros((0, 1), np.float32),
            size_hw=image.size[::-1],
            keypoint_names=("nose",),
        )

    def generate(self, caption, *, options=None):
        return GeneratedImages(pictures=(np.full((64, 64, 3), 128, np.uint8),), seeds=(0,))


def test_a_model_is_compared_with_the_experts_of_a_run(loaded, monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr(Experts, "of", lambda run, briefs: told.append((run.folder, briefs)) or Blind())
    monkeypatch.setattr(VisionLLM, "load", lambda *_, **__: Blind())
    path = tmp_path / "experts.json"
    few = ["--group", "pose,draw,edit", "--pictures", "1", "--json", str(path)]
    result = CliRunner().invoke(app, ["experts", str(tmp_path), *few], env={"COLUMNS": "160"}, catch_exceptions=False)
    assert result.exit_code == 0
    assert told[0][0] == tmp_path
    assert any(told[0][1].values())  # what the instructions to edit mean
    plain = json.loads(path.read_text())
    assert plain["models"] == ["model", "experts"]
    assert plain["differences"]["draw"]["kind_and_colour_known"]["difference"] == 0.0
    assert "edit was skipped: the model has no decoder for editing." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--group", "talk"], "expected groups among detect, domain, pose, draw, edit, got talk"),
        (["--json", "no/such/experts.json"], "expected a folder for experts.json, got .*no/such, which is not there"),
        (["--group", "pose"], "expected the result of an expert in"),
    ],
)
def test_what_has_no_experts_is_refused_before_a_model_is_loaded(loaded, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        CliRunner().invoke(app, ["experts", str(tmp_path), *arguments], catch_exceptions=False)
    assert loaded == []
