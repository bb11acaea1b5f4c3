import math

import pytest
import torch

from visionllm.ops.losses import dice_loss, focal_loss, mask_loss


def test_focal_loss_without_focus_is_a_halved_cross_entropy():
    logits, targets = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 0.0])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") / 2
    torch.testing.assert_close(focal_loss(logits, targets, alpha=0.5, gamma=0.0), expected)


@pytest.mark.parametrize(("target", "share"), [(1.0, 0.25), (0.0, 0.75)])
def test_focal_loss_at_even_odds(target, share):
    value = focal_loss(torch.tensor(0.0), torch.tensor(target)).item()
    assert value == pytest.approx(share * 0.25 * math.log(2))


def test_focal_loss_of_extreme_logits_is_finite():
    logits = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0.0, 1.0]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_dice_of_a_perfect_and_of_a_wrong_mask():
    logits = torch.tensor([[50.0, 50.0, -50.0], [-50.0, -50.0, 50.0]])
    truth = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    assert dice_loss(logits, truth).tolist() == pytest.approx([0.0, 0.75])


def test_mask_loss_is_a_mean_over_points():
    assert mask_loss(torch.zeros(2, 7), torch.ones(2, 7)).tolist() == pytest.approx([math.log(2)] * 2)


@pytest.mark.parametrize("loss", [dice_loss, mask_loss])
def test_no_masks_have_no_losses(loss):
    assert loss(torch.zeros(0, 5), torch.zeros(0, 5)).shape == (0,)
