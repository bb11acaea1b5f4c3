import torch

from visionllm.nn.mlp import MLP, FeedForward


def test_the_last_layer_has_no_activation():
    net = MLP([2, 3, 1])
    for name, parameter in net.named_parameters():
        torch.nn.init.constant_(parameter, -1.0 if name.endswith("weight") else 0.0)
    assert net(torch.tensor([[1.0, 1.0], [-1.0, -1.0]])).tolist() == [[0.0], [-6.0]]


def test_leading_dimensions_are_kept():
    assert MLP([4, 8, 8, 2])(torch.zeros(3, 0, 5, 4)).shape == (3, 0, 5, 2)


def test_a_feed_forward_block_without_weights_only_normalises():
    block = FeedForward(4, 8)
    torch.nn.init.zeros_(block.contract.weight)
    torch.nn.init.zeros_(block.contract.bias)
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    torch.testing.assert_close(block(x), torch.nn.functional.layer_norm(x, (4,)))
