"""A stage whose language model learns by adapters alone."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.small import small_recipe
from visionllm.training.checkpoints import distinct, write_checkpoint
from visionllm.training.recipe import Recipe, RecipeRun
from visionllm.training.stages import Stage
from visionllm.training.trainer import RunOptions
from visionllm.weights import AdapterConfig, load_adapters, load_model, merge_adapters
from visionllm.weights.lora import TENSORS

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="needs the extra `adapters`")
NAME = "model.language_model.model.layers.0.self_attn.q_proj"


def go(recipe: Recipe, folder: Path, stop_at: int | None = None) -> RecipeRun:
    options = RunOptions(folder=folder, workers=0, quiet=True, stop_at=stop_at)
    started = RecipeRun(recipe, folder, options, photos=False)
    if not started.has_result("more-poses"):
        torch.manual_seed(11)
        before = started.module(replace(recipe.stage("more-poses"), start={}))
        write_checkpoint(folder / "more-poses" / "result", {"model": distinct(before)}, {"scores": {}})
    started.run(["adapted"])
    return started


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The small recipe, in float32: on a CPU, the order of sums in half precision is nobody's promise."""
    small = small_recipe()
    return replace(small, asked=(replace(small.stage("adapted"), precision="fp32"),))


@pytest.fixture(scope="module")
def adapted(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> RecipeRun:
    return go(recipe, tmp_path_factory.mktemp("run"))


def test_the_stage_of_the_recipe_has_the_published_adapters_and_runs_only_if_named(recipe: Recipe):
    stage = small_recipe().stage("adapted")
    targets = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj", "up_proj")
    assert stage.adapters == AdapterConfig(rank=32, alpha=64, dropout=0.05, targets=targets)
    assert stage not in small_recipe().stages


def test_nothing_but_adapters_learns(recipe: Recipe, adapted: RecipeRun):
    stage, module = recipe.stage("adapted"), adapted.module(recipe.stage("adapted"))
    groups = stage.groups(module)
    learning = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    assert len(learning) == sum(len(group["params"]) for group in groups) == 2 * 6 * 3
    assert all(".lora_" in name for name in learning)
    before = load_file(adapted.folder / "more-poses" / "result" / "model.safetensors")
    after = load_file(adapted.folder / "adapted" / "result" / "model.safetensors")
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert f"{NAME}.weight" in changed
    assert len(changed) == 6 * 3
    assert after.keys() == before.keys()


def test_checkpoints_hold_the_adapters_and_a_run_goes_on_bit_for_bit(
    recipe: Recipe, adapted: RecipeRun, tmp_path: Path
):
    go(recipe, tmp_path, stop_at=1)
    kept = load_file(tmp_path / "adapted" / "checkpoints" / "step-1" / "model.safetensors")
    assert f"{NAME}.lora_A.default.weight" in kept and f"{NAME}.base_layer.weight" in kept
    assert not (tmp_path / "adapted" / "result").exists()
    go(recipe, tmp_path)
    for file in ("result/model.safetensors", f"adapters/{TENSORS}", "checkpoints/step-2/model.safetensors"):
        whole, cut = (load_file(folder / "adapted" / file) for folder in (adapted.folder, tmp_path))
        assert whole.keys() == cut.keys()
        assert all(torch.equal(tensor, cut[name]) for name, tensor in whole.items()), file


def test_the_exported_model_is_the_one_before_with_the_exported_adapters(
    recipe: Recipe, adapted: RecipeRun, tmp_path: Path
):
    adapted.export("adapted", tmp_path / "model")
    adapted.export_adapters("adapted", tmp_path / "adapters")
    adapted.export("more-poses", tmp_path / "before")
    whole, model = (load_model(tmp_path / name) for name in ("model", "before"))
    load_adapters(model, tmp_path / "adapters")
    merge_adapters(model)
    states = (whole.state_dict(), model.state_dict())
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], atol=1e-3, rtol=1e-3)  # half precision, before and after
    file, changed = NAME.removeprefix("model.") + ".weight", load_model(tmp_path / "before").state_dict()
    assert not torch.equal(states[0][file], changed[file])


def test_later_stages_go_on_from_merged_weights(recipe: Recipe, adapted: RecipeRun):
    later = adapted.module(replace(recipe.stage("more-poses"), start={"model": "adapted:model"}))
    result = load_file(adapted.folder / "adapted" / "result" / "model.safetensors")
    assert torch.equal(later.state_dict()[f"{NAME}.weight"], result[f"{NAME}.weight"])


def test_a_stage_without_adapters_has_none_to_export(adapted: RecipeRun, tmp_path: Path):
    with pytest.raises(ValueError, match="expected a finished stage with adapters, got more-poses; see"):
        adapted.export_adapters("more-poses", tmp_path / "adapters")
    assert not (tmp_path / "adapters").exists()


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"*": 1e-3}, r"expected what has an adapter to rest, got a rate for .*\.base_layer\.weight"),
        ({"model.super_link.*": 1e-3}, r"expected a rate of its adapters, such as \*\.lora_\*, got none"),
    ],
)
def test_rates_that_miss_the_adapters_or_their_matrices_are_refused(recipe: Recipe, adapted, rates, message):
    stage = replace(recipe.stage("adapted"), rates=rates)
    with pytest.raises(ValueError, match=f"stage adapted: {message}"):
        stage.groups(adapted.module(stage))


def test_what_learns_beside_adapters_is_told():
    rates = {"*.lora_*": 1e-3, "model.super_link.*": 1e-4, "model.decoders.*": 0.0}
    stage = Stage(name="s", objective="tasks", steps=1, pictures=1, rates=rates, adapters=AdapterConfig())
    assert stage.beside_adapters == ("model.super_link.*",)
    with pytest.raises(ValueError, match="stage s: adapters is out of range"):
        replace(stage, objective="tower")
