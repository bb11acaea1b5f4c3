import pytest
import torch

from visionllm.nn.decoder import DecoderSizes, DeformableDecoder, Memory


def decoder(**changes) -> DeformableDecoder:
    torch.manual_seed(0)
    sizes = {"layers": 3, "width": 16, "levels": 2, "points": 2, "heads": 4, "ffn": 24}
    return DeformableDecoder(DecoderSizes(**{**sizes, **changes})).eval()


def memory(batch: int = 1) -> Memory:
    g = torch.Generator().manual_seed(1)
    return Memory(
        vision=torch.randn(batch, 16, 16, generator=g),
        mask=torch.ones(batch, 16, dtype=torch.bool),
        shapes=[(3, 4), (2, 2)],
        real_share=torch.ones(batch, 2, 2),
        finest_share=torch.ones(batch, 2),
        text=torch.randn(batch, 3, 16, generator=g),
        text_mask=torch.ones(batch, 3, dtype=torch.bool),
    )


def test_every_layer_says_something():
    states, boxes, guides = decoder()(torch.randn(2, 5, 16), torch.rand(2, 5, 4), memory(2))
    assert [s.shape for s in states] == [(2, 5, 16)] * 3
    assert [b.shape for b in boxes] == [g.shape for g in guides] == [(2, 5, 4)] * 3


def test_boxes_start_unchanged():
    first = torch.rand(1, 5, 4) * 0.8 + 0.1
    _, boxes, guides = decoder()(torch.randn(1, 5, 16), first, memory())
    torch.testing.assert_close(boxes[-1], first)
    torch.testing.assert_close(guides[-1], first)


def test_no_gradient_flows_through_guiding_boxes():
    net = decoder()
    for parameter in net.box_head.layers[-1].parameters():
        torch.nn.init.normal_(parameter)
    first = torch.full((1, 5, 4), 0.4, requires_grad=True)
    _, boxes, _ = net(torch.randn(1, 5, 16), first, memory())
    boxes[-1].sum().backward()
    assert first.grad is None


def test_hidden_queries_do_not_matter():
    net, boxes = decoder(), torch.rand(1, 4, 4)
    visible = torch.ones(4, 4, dtype=torch.bool)
    visible[:2, 2:] = False
    x = torch.randn(1, 4, 16)
    other = torch.cat([x[:, :2], torch.randn(1, 2, 16)], 1)
    first, again = net(x, boxes, memory(), visible)[0][-1], net(other, boxes, memory(), visible)[0][-1]
    torch.testing.assert_close(first[:, :2], again[:, :2])
    assert not torch.allclose(first[:, 2:], again[:, 2:])


@pytest.mark.parametrize(("eps", "limit"), [(1e-5, 1e-5), (1e-3, 1e-3)])
def test_eps_bounds_the_boxes(eps, limit):
    _, boxes, _ = decoder(eps=eps)(torch.randn(1, 1, 16), torch.zeros(1, 1, 4), memory())
    assert boxes[0].max().item() == pytest.approx(limit, rel=0.01)


def test_dropout_acts_in_training_only():
    net, x, boxes = decoder(dropout=0.5), torch.randn(1, 4, 16), torch.rand(1, 4, 4)
    assert torch.equal(net(x, boxes, memory())[0][-1], net(x, boxes, memory())[0][-1])
    net.train()
    assert not torch.allclose(net(x, boxes, memory())[0][-1], net(x, boxes, memory())[0][-1])
