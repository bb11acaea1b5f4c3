import pytest
import torch

from visionllm.ops.deformable import deformable_attention


def slow(values, shapes, locations, weights):
    """The definition, point by point."""
    batch, _, heads, width = values.shape
    queries, points = locations.shape[1], locations.shape[4]
    result = torch.zeros(batch, queries, heads, width)
    for b in range(batch):
        for q in range(queries):
            for h in range(heads):
                start = 0
                for level, (rows, columns) in enumerate(shapes):
                    grid = values[b, start : start + rows * columns, h].view(rows, columns, width)
                    for p in range(points):
                        x, y = locations[b, q, h, level, p] * torch.tensor([columns, rows]) - 0.5
                        for i in (int(y.floor()), int(y.floor()) + 1):
                            for j in (int(x.floor()), int(x.floor()) + 1):
                                if 0 <= i < rows and 0 <= j < columns:
                                    share = (1 - (x - j).abs()) * (1 - (y - i).abs())
                                    result[b, q, h] += weights[b, q, h, level, p] * share * grid[i, j]
                    start += rows * columns
    return result.flatten(2)


@pytest.mark.parametrize("shapes", [[(3, 5)], [(4, 2), (2, 1)], [(5, 4), (3, 2), (1, 1)]], ids=len)
def test_any_number_of_levels_gives_the_definition(shapes):
    g = torch.Generator().manual_seed(0)
    total = sum(h * w for h, w in shapes)
    values = torch.randn(2, total, 3, 4, generator=g)
    locations = torch.rand(2, 6, 3, len(shapes), 2, 2, generator=g) * 1.4 - 0.2
    weights = torch.rand(2, 6, 3, len(shapes), 2, generator=g)
    fast = deformable_attention(values, shapes, locations, weights)
    torch.testing.assert_close(fast, slow(values, shapes, locations, weights), atol=1e-5, rtol=1e-5)


def test_gradients_reach_values_places_and_weights():
    g = torch.Generator().manual_seed(1)
    values = torch.randn(1, 6, 1, 2, generator=g, dtype=torch.float64, requires_grad=True)
    locations = (torch.rand(1, 2, 1, 1, 2, 2, generator=g, dtype=torch.float64) * 0.6 + 0.2).requires_grad_()
    weights = torch.rand(1, 2, 1, 1, 2, generator=g, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda v, x, w: deformable_attention(v, [(2, 3)], x, w), (values, locations, weights)
    )


def test_low_precision_values_are_sampled_at_precise_places():
    values = torch.arange(512.0).view(1, 512, 1, 1)
    place = torch.tensor([(300 + 0.5) / 512, 0.5]).view(1, 1, 1, 1, 1, 2)
    result = deformable_attention(values.bfloat16(), [(1, 512)], place, torch.ones(1, 1, 1, 1, 1))
    assert result.dtype == torch.bfloat16
    assert result.item() == 300


def test_no_queries_get_no_answer():
    empty = torch.zeros(1, 0, 2, 1, 1, 2)
    assert deformable_attention(torch.zeros(1, 4, 2, 3), [(2, 2)], empty, empty[..., 0]).shape == (1, 0, 6)


@pytest.mark.parametrize("shapes", [[(2, 3)], [(2, 1), (2, 1)]], ids=["cells", "levels"])
def test_shapes_must_cover_the_values(shapes):
    with pytest.raises(ValueError, match="expected 1 shapes that cover 4 values, got"):
        deformable_attention(torch.zeros(1, 4, 1, 1), shapes, torch.zeros(1, 1, 1, 1, 1, 2), torch.zeros(1, 1, 1, 1, 1))
