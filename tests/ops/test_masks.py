import pytest
import torch

from visionllm.ops.masks import paste_masks, sample_masks, sample_points, semantic_map, uncertain_points


def test_samples_are_bilinear_and_zero_outside():
    ramp = torch.arange(4.0).view(1, 1, 1, 4)
    points = torch.tensor([[[0.125, 0.5], [0.5, 0.5], [0.0, 0.5], [2.0, 0.5]]])
    assert sample_points(ramp + 1, points)[0, 0].tolist() == pytest.approx([1.0, 2.5, 0.5, 0.0])


def test_samples_of_chosen_masks_are_those_of_their_copies():
    g = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 5, 7, generator=g) > 0.5
    rows = torch.tensor([2, 0, 0, 1])
    points = torch.rand(4, 50, 2, generator=g) * 1.2 - 0.1
    copied = sample_points(masks[rows].float().unsqueeze(1), points).squeeze(1)
    torch.testing.assert_close(sample_masks(masks, rows, points), copied, atol=1e-5, rtol=1e-5)


def test_no_samples_of_no_masks():
    assert sample_masks(torch.zeros(0, 4, 4, dtype=torch.bool), torch.zeros(0).long(), torch.zeros(0, 3, 2)).shape == (
        0,
        3,
    )


def test_the_points_near_the_edge_of_the_mask_are_kept():
    logits = torch.tensor([-5.0, -1.0, 0.5, 6.0]).view(1, 1, 1, 4)
    candidates = torch.tensor([[[0.125, 0.5], [0.375, 0.5], [0.625, 0.5], [0.875, 0.5]]])
    assert uncertain_points(logits, candidates, 2)[0, :, 0].tolist() == [0.625, 0.375]


def test_masks_come_back_at_the_original_size_without_the_padding():
    logits = torch.full((1, 4, 4), -9.0)
    logits[:, :2, :1] = 9.0
    mask = paste_masks(logits, (8, 12), (16, 24))
    assert mask.shape == (1, 16, 24)
    assert mask[0, :, 0].all()
    assert not mask[0, :, 12:].any()
    columns = mask[0, 8].int().sum()
    assert 7 <= columns <= 9


def test_another_stride_is_respected():
    assert paste_masks(torch.full((1, 2, 2), 9.0), (15, 16), (30, 32), stride=8).all()


def test_no_masks_have_the_size_of_the_picture():
    assert paste_masks(torch.zeros(0, 4, 4), (16, 16), (5, 7)).shape == (0, 5, 7)


def test_a_semantic_map_sums_what_all_queries_say_of_a_class():
    scores = torch.tensor([[0.6, 0.5], [0.0, 0.4]])
    logits = torch.full((2, 2, 3), 20.0)
    classes, sums = semantic_map(scores, logits, (8, 12), (4, 6))
    assert classes.tolist() == [[1] * 6] * 4  # 0.5 and 0.4 outweigh 0.6
    torch.testing.assert_close(sums, torch.full((4, 6), 0.9))


def test_a_semantic_map_needs_a_class():
    with pytest.raises(ValueError, match="expected scores of one class or more, got none"):
        semantic_map(torch.zeros(3, 0), torch.zeros(3, 2, 2), (8, 8), (8, 8))
