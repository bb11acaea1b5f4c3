"""Each objective builds what it trains."""

from dataclasses import replace

import pytest
from torch import nn

from visionllm.training.building import build_module, build_objective
from visionllm.training.link import LinkedModel
from visionllm.training.painter import ExpertPainter
from visionllm.training.pose_expert import ExpertPose
from visionllm.training.tower import DenseTower
from visionllm.training.vae import PictureCoder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tower", DenseTower),
        ("wide-tower", DenseTower),
        ("pose-expert", ExpertPose),
        ("vae", PictureCoder),
        ("draw-expert", ExpertPainter),
        ("edit-expert", ExpertPainter),
        ("joined", LinkedModel),
    ],
)
def test_each_stage_has_its_module(run, name, kind):
    assert isinstance(build_module(run.recipe.stage(name), run.recipe.model(run.processor())), kind)


def test_a_language_model_has_the_decoders_of_its_stage(run):
    stage = replace(run.recipe.stage("joined"), decoders=("detection", "pose"))
    module = build_module(stage, run.recipe.model(run.processor()))
    assert isinstance(module, LinkedModel)
    assert set(module.model.decoders) == {"detection", "pose"}


def test_a_painter_edits_where_its_families_do(run):
    decoders = {}
    for name in ("draw-expert", "edit-expert"):
        module = build_module(run.recipe.stage(name), run.recipe.model(run.processor()))
        assert isinstance(module, ExpertPainter)
        decoders[name] = type(module.decoder).__name__
    assert decoders == {"draw-expert": "GenerationDecoder", "edit-expert": "EditingDecoder"}


def test_an_unknown_objective_is_refused(run):
    stage = replace(run.recipe.stages[0], objective="nose")
    config, processor = run.recipe.model(run.processor()), run.processor()
    with pytest.raises(ValueError, match="stage tower: expected an objective among tower, expert"):
        build_module(stage, config)
    with pytest.raises(ValueError, match="stage tower: expected an objective among tower, expert"):
        build_objective(stage, config, processor)


def test_a_module_of_its_own_is_built_each_time(run):
    stage, config = run.recipe.stage("tower"), run.recipe.model(run.processor())
    one, two = build_module(stage, config), build_module(stage, config)
    assert isinstance(one, nn.Module)
    assert one is not two
