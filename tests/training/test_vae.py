"""The VAE as an expert."""

import numpy as np
import pytest
import torch
from torch import nn

from visionllm.training.vae import PictureCoder, VaeObjective, fitted, signed


def objective() -> VaeObjective:
    return VaeObjective(size_hw=(64, 64), pictures=3, seed=1, photos=False)


@pytest.fixture
def coder(run) -> PictureCoder:
    module = run.module(run.recipe.stage("vae"))
    assert isinstance(module, PictureCoder)
    return module


def test_a_batch_depends_on_its_step_alone():
    one, two = objective(), objective()
    assert torch.equal(one.batch(4), two.batch(4))
    assert not torch.equal(one.batch(4), one.batch(5))
    assert one.batch(0).shape == (3, 3, 64, 64)
    assert one.batch(0).min() >= -1 and one.batch(0).max() <= 1


def test_losses_are_finite_and_teach_every_parameter(coder):
    losses = objective().losses(coder, objective().batch(0))
    assert set(losses) == {"pixels", "edges", "spread"}
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in coder.parameters())


def test_scores_tell_how_well_pictures_come_back(coder):
    scores = objective().scores(coder, 3)
    assert set(scores) == {"psnr", "deviation"}
    assert 0 < scores["psnr"] < 60


def test_another_module_is_refused():
    with pytest.raises(TypeError, match="expected a PictureCoder, got Linear"):
        objective().losses(nn.Linear(1, 1), torch.zeros(1, 3, 64, 64))


def test_pictures_are_fitted_whole_and_signed():
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 32:] = 255
    small = fitted(pixels, (16, 16))
    assert small.shape == (16, 16, 3)
    values = signed(small[None])
    assert values.shape == (1, 3, 16, 16)
    assert values[0, 0, 0, 0] == -1
    assert values[0, 0, 0, -1] == 1
    assert fitted(pixels, (32, 64)) is pixels
