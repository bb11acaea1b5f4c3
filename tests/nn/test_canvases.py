import torch

from visionllm.nn.canvases import canvas_groups, paste


def test_pictures_are_grouped_by_size():
    groups = canvas_groups(torch.tensor([[64, 32], [32, 32], [64, 32]]))
    assert [(rows.tolist(), size) for rows, size in groups] == [([1], (32, 32)), ([0, 2], (64, 32))]


def test_no_pictures_have_no_groups():
    assert canvas_groups(torch.zeros(0, 2, dtype=torch.long)) == []


def test_pasting_restores_the_order_and_pads_with_zeros():
    groups = canvas_groups(torch.tensor([[2, 3], [4, 1], [2, 3]]))
    maps = [torch.full((len(rows), 1, *size), float(size[0])) for rows, size in groups]
    pasted = paste(maps, groups)
    assert pasted.shape == (3, 1, 4, 3)
    assert pasted[0].sum() == pasted[2].sum() == 2 * 6
    assert pasted[1, 0, :, 0].tolist() == [4, 4, 4, 4]
    assert pasted[1, 0, :, 1:].sum() == 0


def test_one_group_is_not_copied():
    maps = torch.rand(2, 1, 3, 3)
    assert paste([maps], canvas_groups(torch.tensor([[3, 3], [3, 3]]))) is maps
