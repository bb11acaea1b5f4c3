"""The pose decoder as an expert."""

import numpy as np
import pytest
import torch
from torch import nn

from visionllm.data.world import draw_picture
from visionllm.training.pose_expert import ExpertPose, PoseObjective, asked_of


@pytest.fixture
def posing(run) -> tuple[ExpertPose, PoseObjective]:
    stage = run.recipe.stage("pose-expert")
    module, objective = run.module(stage), run.objective(stage)
    assert isinstance(module, ExpertPose)
    assert isinstance(objective, PoseObjective)
    return module, objective


def test_a_batch_depends_on_its_step_alone(posing, run):
    one, two = posing[1].batch(2), run.objective(run.recipe.stage("pose-expert")).batch(2)
    assert torch.equal(one.codes, two.codes)
    assert torch.equal(one.images.pixel_values, two.images.pixel_values)
    assert all(torch.equal(a.keypoints, b.keypoints) for a, b in zip(one.targets, two.targets, strict=True))


def test_every_unit_names_figures_first_and_then_keypoints(posing):
    batch = posing[1].batch(0)
    for routes, target, mask in zip(batch.routes, batch.targets, batch.mask, strict=True):
        assert len(routes) == int(mask.sum())
        assert list(routes) == sorted(routes)  # [DET] before [POSE]
        assert routes.count("[POSE]") == target.keypoints.shape[1] >= 1


def test_questions_are_mostly_about_what_is_there():
    rng = np.random.default_rng(0)
    pictures = [draw_picture(i, version=2, theme="figures", photos=False) for i in range(12)]
    pictures = [picture for picture in pictures if picture.scene.figures]
    hits = 0
    for number, picture in enumerate(pictures * 5):
        question = asked_of(picture, number, rng)
        assert len(set(question.joints)) == len(question.joints) >= 1
        hits += any(phrase.among(picture.scene.figures) for phrase in question.phrases)
    assert hits > 0.75 * 5 * len(pictures)


def test_losses_are_finite_and_teach_the_aims(posing):
    module, objective = posing
    module.train()
    losses = objective.losses(module, objective.batch(0))
    torch.stack(list(losses.values())).sum().backward()
    assert all(value.isfinite() for value in losses.values())
    assert module.aims.words[0].weight.grad.abs().sum() > 0


def test_scores_are_about_people_and_animals(posing):
    module, objective = posing
    scores = objective.scores(module.eval(), 16)
    assert set(scores) == {f"{kind} {name}" for kind in ("person", "animal") for name in ("oks", "pck", "right")}
    assert all(0 <= value <= 1 for value in scores.values())


def test_another_module_is_refused(posing):
    with pytest.raises(TypeError, match="expected an ExpertPose, got Linear"):
        posing[1].losses(nn.Linear(1, 1), posing[1].batch(0))
