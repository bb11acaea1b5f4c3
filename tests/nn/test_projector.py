import pytest
import torch

from visionllm.nn.projector import Projector, ProjectorConfig


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("linear", {"layers.weight"}),
        ("mlp1x_gelu", {"layers.0.weight"}),
        ("mlp2x_gelu", {"layers.0.weight", "layers.2.weight"}),
        ("mlp3x_gelu", {"layers.0.weight", "layers.2.weight", "layers.4.weight"}),
        ("internvl_mlp", {"layers.0.weight", "layers.1.weight", "layers.3.weight"}),
    ],
)
def test_parameters_have_the_published_indices(kind, keys):
    projector = Projector(ProjectorConfig(kind=kind), 8, 12)
    assert {k for k in projector.state_dict() if k.endswith("weight")} == keys
    assert projector(torch.zeros(2, 0, 8)).shape == (2, 0, 12)
    assert projector(torch.zeros(3, 8)).shape == (3, 12)


def test_two_layers_with_a_gelu_between():
    projector = Projector(ProjectorConfig(), 2, 2)
    state = {"0.weight": torch.eye(2), "0.bias": torch.zeros(2), "2.weight": 2 * torch.eye(2), "2.bias": torch.ones(2)}
    projector.layers.load_state_dict(state)
    x = torch.tensor([[1.0, -1.0]])
    torch.testing.assert_close(projector(x), 2 * torch.nn.functional.gelu(x) + 1)


@pytest.mark.parametrize("kind", ["mlp0x_gelu", "mlp", "mlp2x_relu", ""])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(ValueError, match="expected kind linear, mlpNx_gelu or internvl_mlp, got"):
        ProjectorConfig(kind=kind)
