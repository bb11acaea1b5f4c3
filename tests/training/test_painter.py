"""The U-Nets as experts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from visionllm.data.world import draw_picture
from visionllm.training import painter
from visionllm.training.painter import ExpertPainter, MiddleDraws, PainterObjective, focus_of


@pytest.fixture(params=["draw-expert", "edit-expert"])
def painting(request, run) -> tuple[ExpertPainter, PainterObjective]:
    stage = run.recipe.stage(request.param)
    module, objective = run.module(stage), run.objective(stage)
    assert isinstance(module, ExpertPainter)
    assert isinstance(objective, PainterObjective)
    return module, objective


def test_a_batch_depends_on_its_step_alone(painting, run):
    _, objective = painting
    name = "draw-expert" if objective.decoder == "generation" else "edit-expert"
    again = run.objective(run.recipe.stage(name))
    one, two = objective.batch(3), again.batch(3)
    assert torch.equal(one.wanted, two.wanted)
    assert torch.equal(one.codes, two.codes)


def test_the_pool_is_gone_through_in_another_order_each_time(painting):
    _, objective = painting
    steps = objective.pool // objective.pictures
    rounds = [torch.cat([objective.batch(n * steps + i).numbers for i in range(steps)]).tolist() for n in range(6)]
    assert all(sorted(numbers) == list(range(objective.pool)) for numbers in rounds)
    assert len({tuple(numbers) for numbers in rounds}) > 1


def test_only_editing_is_given_a_picture(painting):
    _, objective = painting
    batch = objective.batch(0)
    assert (batch.given is not None) == (objective.decoder == "editing")
    assert batch.wanted.shape == (2, 3, 64, 64)


def test_the_loss_teaches_u_net_and_briefs(painting, run):
    module, objective = painting
    run.recipe.stage("draw-expert").groups(module)  # frozen by itself, a U-Net learns where a stage says so
    module.train()
    losses = objective.losses(module, objective.batch(0))
    losses["noise"].backward()
    assert module.briefs.words.weight.grad is not None
    assert module.decoder.unet.conv_in.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in module.decoder.mapper.parameters())


def test_made_pictures_have_their_size_and_are_judged_by_family(painting):
    module, objective = painting
    made = objective.paint(module, [objective.sample(i, "validation") for i in range(2)])
    assert made.shape == (2, 64, 64, 3)
    assert made.dtype == np.uint8
    scores = objective.scores(module, 16)
    assert scores["all"] <= 0.2  # nothing was learned
    assert ("psnr" in scores) == (objective.decoder == "editing")
    assert all(name in ("all", "psnr") or name.startswith(("draw-", "edit-")) for name in scores)


def test_the_truth_is_judged_right(painting):
    _, objective = painting
    right = [
        objective._right(sample, np.array(sample.truth[objective.decoder].pixels))
        for sample in (objective.sample(i, "validation") for i in range(24))
    ]
    assert sum(right) >= 20  # of pictures so small


@pytest.mark.parametrize(
    "mixture",
    [
        pytest.param({"draw-one": 1.0, "edit-move": 1.0}, id="both-sorts"),
        pytest.param({"count": 1.0}, id="makes-no-picture"),
    ],
)
def test_other_families_are_refused(mixture):
    with pytest.raises(ValueError, match="expected families that draw or families that edit"):
        PainterObjective(mixture, size_hw=(64, 64), states=8, pictures=2, pool=4, seed=0)


def test_another_module_is_refused(painting):
    _, objective = painting
    with pytest.raises(TypeError, match="expected an ExpertPainter, got Linear"):
        objective.losses(nn.Linear(1, 1), objective.batch(0))


def test_middle_noise_is_drawn_most():
    drawn = MiddleDraws(torch.Generator().manual_seed(0)).integers(1000, (4000,), torch.device("cpu"))
    assert int(drawn.min()) >= 0 and int(drawn.max()) < 1000
    shares = [float(((low <= drawn) & (drawn < low + 250)).float().mean()) for low in (0, 250, 500, 750)]
    assert min(shares[1:3]) > 2 * max(shares[0], shares[3])


@pytest.mark.parametrize("mixture", [{"draw-one": 1.0, "draw-count": 1.0}, {"edit-recolour": 1.0, "edit-add": 1.0}])
def test_every_other_step_looks_closely_at_what_is_drawn_or_changed(mixture):
    sizes = {"size_hw": (64, 64), "states": 8, "pictures": 2, "pool": 8, "seed": 3}
    objective = PainterObjective(mixture, close_ups=True, **sizes)
    whole, near = objective.batch(0), objective.batch(1)
    assert whole.corners is None
    assert near.corners is not None
    assert len(near.numbers) == 4 * len(whole.numbers)
    assert objective.window == 8
    assert int(near.corners.min()) >= 0 and int(near.corners.max()) <= 8
    for number, (row, column) in zip(near.numbers.tolist(), near.corners.tolist(), strict=True):
        focus = focus_of(objective.close_up(number), 32)
        assert focus is not None
        assert row * 4 <= focus[0] <= (row + 8) * 4
        assert column * 4 <= focus[1] <= (column + 8) * 4
    assert torch.equal(objective.batch(1).codes, PainterObjective(mixture, close_ups=True, **sizes).batch(1).codes)


def test_a_close_up_is_cut_out_of_the_latents(painting):
    module, objective = painting
    name = "draw-one" if objective.decoder == "generation" else "edit-recolour"
    sizes = {"size_hw": (64, 64), "states": 8, "pictures": 1, "pool": 4, "seed": 3}
    near = PainterObjective({name: 1.0}, close_ups=True, **sizes)
    batch = near.batch(1)
    assert batch.corners is not None
    latents, context = near._seen(module, batch)
    assert latents.shape == (4, 4, 8, 8)
    assert context.shape == (4, 4 * (objective.decoder == "editing"), 8, 8)
    whole, _ = near._seen(module, replace(batch, corners=None))
    row, column = batch.corners[2].tolist()
    assert torch.equal(latents[2], whole[2, :, row : row + 8, column : column + 8])


def test_close_ups_stay_among_the_pictures_of_their_stage(monkeypatch):
    numbers = []
    monkeypatch.setattr(painter, "focus_of", lambda sample, most: None)
    monkeypatch.setattr(painter, "draw_picture", lambda number, **_: numbers.append(number) or draw_picture(0, **_))
    sizes = {"size_hw": (64, 64), "states": 8, "pictures": 32, "pool": 20_000, "seed": 9}
    objective = PainterObjective({"draw-one": 1.0}, close_ups=True, **sizes)
    with pytest.raises(ValueError, match="expected a sample about one thing for number 39999, got none"):
        objective.close_up(39_999)
    assert min(numbers) >= 9 * 10**8 and max(numbers) < 10**9


def test_nobody_looks_closely_at_pictures_of_many_things():
    sizes = {"size_hw": (64, 64), "states": 8, "pictures": 1, "pool": 4, "seed": 3}
    with pytest.raises(ValueError, match="expected a family about one small thing to look at closely, got draw-count"):
        PainterObjective({"draw-count": 1.0}, close_ups=True, **sizes)
    objective = PainterObjective({"draw-one": 1.0, "draw-several": 50.0}, close_ups=True, **sizes)
    assert {objective.close_up(number).family for number in range(4, 8)} == {"draw-one"}


def test_a_picture_has_the_same_latents_in_any_company(painting):
    module, objective = painting
    name = "draw-one" if objective.decoder == "generation" else "edit-recolour"
    sizes = {"size_hw": (64, 64), "states": 8, "pictures": 3, "pool": 6, "seed": 3}
    one, two = (PainterObjective({name: 1.0}, **sizes) for _ in range(2))
    whole = one.batch(0)
    latents, _ = one._seen(module, whole)
    given = None if whole.given is None else whole.given[1:2]
    alone, _ = two._seen(module, replace(whole, numbers=whole.numbers[1:2], wanted=whole.wanted[1:2], given=given))
    assert torch.equal(latents[1:2], alone)
