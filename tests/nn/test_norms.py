import pytest
import torch

from visionllm.nn.norms import ChannelNorm, MapNorm


def test_maps_are_normalised_in_32_groups():
    x = torch.randn(2, 64, 3, 5, generator=torch.Generator().manual_seed(0))
    grouped = MapNorm(64)(x).unflatten(1, (32, 2)).flatten(2)
    torch.testing.assert_close(grouped.mean(2), torch.zeros(2, 32), atol=1e-5, rtol=0)
    torch.testing.assert_close(grouped.var(2, correction=0), torch.ones(2, 32), atol=1e-3, rtol=0)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_a_map_of_one_cell_becomes_the_bias(batch):
    norm = MapNorm(32)
    torch.nn.init.constant_(norm.bias, 0.5)
    torch.testing.assert_close(norm(torch.rand(batch, 32, 1, 1)), torch.full((batch, 32, 1, 1), 0.5), atol=1e-4, rtol=0)


def test_channels_are_normalised_cell_by_cell():
    x = torch.randn(1, 8, 2, 3, generator=torch.Generator().manual_seed(0))
    cells = ChannelNorm(8)(x).flatten(2)
    torch.testing.assert_close(cells.mean(1), torch.zeros(1, 6), atol=1e-6, rtol=0)
