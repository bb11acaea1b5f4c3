from collections.abc import Mapping

import pytest
import torch
from torch import nn

from visionllm.nn.waiting import WaitingNetwork


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.LayerNorm(2)))


def waiting(changes: Mapping[str, torch.Size | None] | None = None) -> WaitingNetwork:
    shapes = {name: tensor.shape for name, tensor in network().state_dict().items()} | dict(changes or {})
    return WaitingNetwork({name: shape for name, shape in shapes.items() if shape is not None})


def filled(module: nn.Module) -> nn.Module:
    module.load_state_dict({name: torch.randn(t.shape) for name, t in module.state_dict().items()})
    return module


def test_weights_have_the_names_and_shapes_of_the_network():
    held, wanted = waiting().state_dict(), network().state_dict()
    assert {name: t.shape for name, t in held.items()} == {name: t.shape for name, t in wanted.items()}


def test_the_network_computes_with_the_same_parameters():
    held = filled(waiting())
    assert isinstance(held, WaitingNetwork)
    before = dict(held.named_parameters())
    built = held.build(network, "toy")
    assert all(parameter is before[name] for name, parameter in built.named_parameters())
    reference = network()
    reference.load_state_dict(held.state_dict())
    given = torch.randn(4, 3)
    assert torch.equal(built(given), reference(given))


def test_type_mode_and_what_learns_are_kept():
    held = waiting().to(torch.bfloat16).eval()
    held.get_parameter("0.bias").requires_grad_(False)
    built = held.build(network, "toy")
    assert {p.dtype for p in built.parameters()} == {torch.bfloat16}
    assert not any(module.training for module in built.modules())
    assert [name for name, p in built.named_parameters() if not p.requires_grad] == ["0.bias"]


def test_building_draws_no_random_number():
    held, state = waiting(), torch.get_rng_state()
    held.build(network, "toy")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"0.bias": None}, r"expected the weights of the toy to fit .*: 0\.bias is missing", id="missing"),
        pytest.param({"0.more": torch.Size([2])}, r"0\.more is unknown", id="unknown"),
        pytest.param({"1.0.bias": torch.Size([3])}, r"1\.0\.bias has another shape", id="shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(changes: dict[str, torch.Size | None], message: str):
    with pytest.raises(ValueError, match=message):
        waiting(changes).build(network, "toy")


@pytest.mark.parametrize("name", ["forward.weight", "half", ""])
def test_a_name_that_no_weight_can_have_is_refused(name: str):
    with pytest.raises(ValueError, match=f"expected the name of a weight, got '{name}'"):
        WaitingNetwork({name: torch.Size([1])})
