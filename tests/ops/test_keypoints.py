import pytest
import torch

from visionllm.ops.keypoints import keypoint_distance, object_keypoint_similarity, oks_loss

PLACES = torch.tensor([[0.2, 0.2], [0.5, 0.5], [0.9, 0.1]])
SEEN = torch.tensor([True, True, False])
SIGMAS = torch.tensor([0.025, 0.1, 0.1])


def test_a_keypoint_one_reach_away_is_alike_by_the_root_of_e():
    area = torch.tensor(0.25)
    away = PLACES + torch.tensor([2 * 0.1 * 0.5, 0.0])  # 2·sigma·√area for the second keypoint
    only = torch.tensor([False, True, False])
    alike = object_keypoint_similarity(away, PLACES, only, area, SIGMAS)
    torch.testing.assert_close(alike, torch.exp(torch.tensor(-0.5)), rtol=1e-5, atol=1e-5)


def test_hidden_keypoints_do_not_count():
    moved = PLACES + torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.5, 0.5]])
    assert object_keypoint_similarity(moved, PLACES, SEEN, torch.tensor(0.1), SIGMAS) > 0.999
    assert keypoint_distance(moved, PLACES, SEEN) == 0
    assert keypoint_distance(moved, PLACES, ~SEEN) == pytest.approx(1.0, abs=1e-5)


def test_poses_are_compared_by_pairs():
    many = torch.stack([PLACES, PLACES + 0.1])
    alike = object_keypoint_similarity(many[:, None], many[None], SEEN.expand(2, 3), torch.full((2,), 0.1), SIGMAS)
    assert alike.shape == (2, 2)
    assert (alike.diagonal() > 0.999).all()
    assert alike[0, 1] < 0.7


def test_nothing_visible_and_no_area_are_no_error():
    nothing = torch.zeros(3, dtype=torch.bool)
    places = PLACES.clone().requires_grad_()
    loss = oks_loss(places, PLACES + 0.1, nothing, torch.tensor(0.0), SIGMAS)
    loss.backward()
    assert loss.item() == pytest.approx(1.0, abs=1e-5)
    assert places.grad is not None
    assert places.grad.isfinite().all()


def test_no_poses_give_no_losses():
    empty = torch.zeros(0, 3, 2)
    assert oks_loss(empty, empty, torch.zeros(0, 3, dtype=torch.bool), torch.zeros(0), SIGMAS).shape == (0,)
