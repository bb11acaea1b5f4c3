"""`visionllm train` shows its plan, runs and goes on."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.training.small import small_recipe
from visionllm.cli.train import app
from visionllm.recipes import tiny
from visionllm.training.recipe import RecipeRun


def invoke(*words):
    return CliRunner().invoke(app, ["tiny", *words], catch_exceptions=False)


def test_the_plan_names_every_stage_and_trains_nothing(tmp_path):
    shown = invoke("--plan", "--out", str(tmp_path / "run"))
    assert shown.exit_code == 0
    assert all(stage.name in shown.output for stage in (*tiny.RECIPE.stages, *tiny.RECIPE.asked))
    assert not (tmp_path / "run").exists()


def test_a_stage_runs_from_nothing_and_scores_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "RECIPE", small_recipe())
    done = invoke("--out", str(tmp_path), "--stage", "tower", "--no-photos", "--workers", "0")
    assert done.exit_code == 0
    assert "tower 2: kind@8" in done.output
    assert (tmp_path / "tower" / "result" / "model.safetensors").is_file()


def test_the_expert_is_judged_by_average_precision(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "RECIPE", small_recipe())
    done = invoke("--out", str(tmp_path), "--stage", "tower", "--stage", "expert", "--no-photos", "--workers", "0")
    assert "box AP50" in done.output


def test_a_stage_that_has_not_run_is_not_exported(tmp_path):
    with pytest.raises(ValueError, match="expected a finished stage of the language model, got decoders"):
        CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "model")], catch_exceptions=False)


def test_an_export_says_where_to():
    with pytest.raises(ValueError, match="expected the folder of the model, or --adapters FOLDER, got neither"):
        CliRunner().invoke(app, ["export", "runs/none"], catch_exceptions=False)


def test_adapters_are_exported_alone_and_what_learned_beside_them_is_told(tmp_path, monkeypatch):
    small = small_recipe()
    rates = {"*.lora_*": 1e-3, "model.super_link.*": 1e-3}
    monkeypatch.setattr(tiny, "RECIPE", replace(small, asked=(replace(small.stage("adapted"), rates=rates),)))
    alone = []
    monkeypatch.setattr(RecipeRun, "export_adapters", lambda _, *given: alone.append(given))
    given = ["export", str(tmp_path), "--stage", "adapted", "--adapters", str(tmp_path / "mine")]
    ran = CliRunner().invoke(app, given, catch_exceptions=False)
    assert alone == [("adapted", tmp_path / "mine")]
    assert ran.stdout == f"{tmp_path / 'mine'}\n"
    assert "what else the stage trained is in the whole model only: model.super_link.*" in " ".join(ran.stderr.split())


def test_an_unknown_stage_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a stage of tiny among tower"):
        invoke("--out", str(tmp_path), "--stage", "nose")
