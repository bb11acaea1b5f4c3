"""The whole recipe, from nothing to a model folder, at a tiny size."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from visionllm.training.expert import ExpertDetector
from visionllm.training.link import LinkedModel
from visionllm.training.recipe import RecipeRun
from visionllm.training.trainer import RunOptions
from visionllm.weights.folder import load_model


def test_every_stage_has_a_result(run):
    for stage in run.recipe.stages:
        assert (run.folder / stage.name / "result" / "model.safetensors").is_file()


def test_every_stage_of_the_language_model_leaves_a_model_that_loads(run):
    for stage in run.recipe.stages:
        if stage.objective == "tasks":
            loaded = load_model(run.folder / stage.name / "model")
            assert loaded is not None


def test_the_detector_starts_from_the_tower(run):
    expert = run.module(run.recipe.stage("expert"))
    assert isinstance(expert, ExpertDetector)
    learnt = load_file(run.folder / "tower" / "result" / "model.safetensors")
    name = "embedder.embedder.convolution.weight"
    assert torch.equal(expert.detector.pyramid.backbone.state_dict()[f"network.{name}"], learnt[f"encoder.{name}"])


def test_a_chat_stage_has_no_decoder(run):
    module = run.module(run.recipe.stage("chat"))
    assert isinstance(module, LinkedModel)
    assert not module.model.decoders


def test_a_finished_run_does_nothing_more(run):
    before = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*.safetensors")}
    run.run()
    assert before == {p: p.stat().st_mtime_ns for p in run.folder.rglob("*.safetensors")}


def test_an_unknown_stage_is_refused(run):
    with pytest.raises(ValueError, match="expected a stage of tiny among tower, expert"):
        run.run(["nose"])


def test_a_stage_before_its_time_is_refused(run, tmp_path):
    early = RecipeRun(run.recipe, tmp_path, RunOptions(folder=tmp_path, workers=0, quiet=True), photos=False)
    with pytest.raises(ValueError, match="stage expert needs the result of stage tower"):
        early.run(["expert"])


def test_an_unknown_objective_is_refused(run):
    with pytest.raises(ValueError, match=r"expected an objective among tower, expert, .* tasks, got 'nose'"):
        run.objective(replace(run.recipe.stages[0], objective="nose"))


def test_a_part_that_fits_nothing_is_refused(run):
    with pytest.raises(ValueError, match="nothing of tower:encoder fits nowhere"):
        run.module(replace(run.recipe.stage("expert"), start={"nowhere": "tower:encoder"}))


def test_a_part_can_be_the_mean_of_several_results(run):
    names = ("wide-language", "more-language", "last-language")
    last = run.recipe.stage("wide-decoders")
    assert last.start["model"] == "+".join(names) + ":model"
    results = [load_file(run.folder / name / "result" / "model.safetensors") for name in names]
    key = next(k for k, v in results[0].items() if "language_model" in k and not torch.equal(v, results[2][k]))
    mean = (results[0][key] + results[1][key] + results[2][key]) / 3
    assert torch.allclose(run.module(last).state_dict()[key], mean, atol=1e-7)


def test_results_of_different_networks_have_no_mean(run):
    wrong = replace(run.recipe.stage("wide-decoders"), start={"model": "chat+last-language:model"})
    with pytest.raises(ValueError, match="stage wide-decoders: expected chat\\+last-language to be of one network"):
        run.module(wrong)


def test_a_finished_stage_is_exported_in_half_precision_and_loads(run, tmp_path):
    run.export("joined", tmp_path / "model")
    stored = load_file(next((tmp_path / "model").glob("*.safetensors")))
    assert {t.dtype for t in stored.values() if t.is_floating_point()} == {torch.float16}
    assert load_model(tmp_path / "model").decoders


@pytest.mark.parametrize("name", ["tower", "expert"])
def test_a_stage_without_language_model_is_not_exported(run, tmp_path, name):
    with pytest.raises(ValueError, match=f"expected a finished stage of the language model, got {name}"):
        run.export(name, tmp_path / "model")


def test_a_run_goes_on_from_an_exported_model(run, tmp_path):
    run.export("language", tmp_path / "model")
    more = RecipeRun(run.recipe, tmp_path / "more", RunOptions(folder=tmp_path, workers=0, quiet=True), photos=False)
    more.adopt(tmp_path / "model", "language")
    module = more.module(run.recipe.stage("decoders"))
    learnt = load_file(run.folder / "language" / "result" / "model.safetensors")
    name = "model.language_model.model.norm.weight"
    torch.testing.assert_close(module.state_dict()[name], learnt[name], rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="expected no result of stage language"):
        more.adopt(tmp_path / "model", "language")
