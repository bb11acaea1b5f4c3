"""Questions teach the language model, and the detector through it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from visionllm.training.link import LinkedModel
from visionllm.training.tasks import TaskObjective

MIXTURE = {"count": 1, "known-classes": 2, "segment-several": 1, "refer-attribute": 1, "chat": 1}


@pytest.fixture(scope="module")
def joined(run):
    linked = {"decoders": ("detection",), "units": 2, "link_weight": 1.0}
    stage = replace(run.recipe.stage("chat"), name="joined", mixture=MIXTURE, start={}, **linked)
    return run.module(stage), run.objective(stage)


def test_batches_depend_on_their_step_alone(joined):
    _, objective = joined
    for part, same in zip(objective.batch(4), objective.batch(4), strict=True):
        assert torch.equal(part.batch.inputs.input_ids, same.batch.inputs.input_ids)
        assert torch.equal(part.links[0]["codes"], same.links[0]["codes"])
        assert len(part.links[0]["codes"]) == len(part.batch.units)


def test_shorter_and_longer_rows_stand_apart(run):
    shorter, longer = run.objective(replace(run.recipe.stage("chat"), pictures=6)).batch(0)
    assert shorter.batch.inputs.attention_mask.sum(1).max() <= longer.batch.inputs.attention_mask.sum(1).max()
    assert shorter.batch.inputs.input_ids.shape[1] % 32 == 0


def test_the_language_stage_is_told_what_tokens_show_and_where_to_look(run):
    stage = run.recipe.stage("language")
    module = run.module(stage)
    losses = run.objective(stage).losses(module, run.objective(stage).batch(0))
    told = {"words", "looks", "meant", "answer_looks", "answer_meant"}
    assert {"text", "link"} | told == set(losses)
    torch.stack([losses[name] for name in told]).sum().backward()
    for part in (module.model.projector, module.model.language_model):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_all_losses_reach_slots_language_model_and_detector(joined):
    module, objective = joined
    losses = objective.losses(module.train(), objective.batch(4))
    assert {"text", "link", "class", "mask"} <= set(losses)
    torch.stack(list(losses.values())).sum().backward()
    for part in (module.model.super_link, module.model.language_model, module.model.decoders["detection"].decoder):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_a_chat_stage_learns_text_alone(run):
    stage = run.recipe.stage("chat")
    losses = run.objective(stage).losses(run.module(stage), run.objective(stage).batch(0))
    assert set(losses) == {"text"}


def test_scores_are_shares_by_family(joined):
    module, objective = joined
    scores = objective.scores(module.eval(), steps=1)
    assert set(scores) <= set(MIXTURE) - {"known-classes"}
    assert all(0 <= value <= 1 for value in scores.values())


def test_an_unknown_family_is_refused(run):
    with pytest.raises(ValueError, match=r"expected task families among .* got nose"):
        TaskObjective(run.processor(), {"nose": 1.0}, pictures=1, questions=1)


def test_another_module_is_refused(joined):
    _, objective = joined
    with pytest.raises(TypeError, match="expected a LinkedModel, got Linear"):
        objective.losses(nn.Linear(1, 1), objective.batch(0))
    with pytest.raises(TypeError, match="expected a LinkedModel, got Linear"):
        objective.scores(nn.Linear(1, 1))


def test_a_linked_model_names_its_parts(joined):
    assert isinstance(joined[0], LinkedModel)
    assert joined[0].expert("detection") is not None
