import torch

from visionllm.ops.draws import Draws

CPU = torch.device("cpu")


def test_a_seed_fixes_the_numbers():
    first, again = (Draws(torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first.uniform((3, 2), CPU), again.uniform((3, 2), CPU))
    assert torch.equal(first.integers(9, (4,), CPU), again.integers(9, (4,), CPU))
    assert torch.equal(first.normal((3, 2), CPU), again.normal((3, 2), CPU))


def test_without_a_generator_the_global_one_is_used():
    torch.manual_seed(3)
    drawn = Draws().uniform((5,), CPU)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(5))


def test_numbers_are_in_range():
    draws = Draws(torch.Generator().manual_seed(0))
    normal = draws.normal((1000,), CPU)
    uniform, integers = draws.uniform((1000,), CPU), draws.integers(3, (1000,), CPU)
    assert 0 <= uniform.min() < 0.01 < 0.99 < uniform.max() < 1
    assert integers.unique().tolist() == [0, 1, 2]
    assert abs(normal.mean()) < 0.1
    assert abs(normal.std() - 1) < 0.1
