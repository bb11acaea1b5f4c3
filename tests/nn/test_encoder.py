import pytest
import torch

from visionllm.nn.encoder import DropPath, EncoderContext, EncoderSizes, FusionEncoder

SHAPES = [(3, 4), (2, 2)]


def encoder(**changes) -> FusionEncoder:
    torch.manual_seed(0)
    sizes = {
        "layers": 2, "width": 16, "levels": 2, "points": 2, "heads": 4, "ffn": 24, "text_heads": 2, "text_ffn": 12,
        "fusion_width": 8, "layer_scale": 0.5,
    }  # fmt: skip
    return FusionEncoder(EncoderSizes(**{**sizes, **changes}))


def context(groups: int, *, real: int | None = None, batch: int = 1) -> EncoderContext:
    text_mask = torch.arange(groups)[None].expand(batch, -1) < (groups if real is None else real)
    seen = text_mask[:, :, None] & text_mask[:, None] | torch.eye(groups, dtype=torch.bool)
    return EncoderContext(
        positions=torch.zeros(batch, 16, 16),
        references=torch.full((batch, 16, 2, 2), 0.5),
        mask=torch.ones(batch, 16, dtype=torch.bool),
        shapes=SHAPES,
        text_positions=torch.zeros(batch, groups, 16),
        text_mask=text_mask,
        text_visible=seen[:, None],
    )


def test_shapes_stay():
    vision, text = encoder()(torch.randn(2, 16, 16), torch.randn(2, 3, 16), context(3, batch=2))
    assert vision.shape == (2, 16, 16)
    assert text.shape == (2, 3, 16)


def test_pixels_and_groups_read_each_other():
    net, vision, text = encoder().eval(), torch.randn(1, 16, 16), torch.randn(1, 3, 16)
    base = net(vision, text, context(3))
    assert not torch.allclose(net(vision, text + 1 * torch.randn(1, 3, 16), context(3))[0], base[0], atol=1e-4)
    assert not torch.allclose(net(vision + torch.randn(1, 16, 16), text, context(3))[1], base[1], atol=1e-4)


def test_padded_groups_change_nothing():
    net, vision, text = encoder().eval(), torch.randn(1, 16, 16), torch.randn(1, 5, 16)
    padded = net(vision, text, context(5, real=2))
    tight = net(vision, text[:, :2], context(2))
    torch.testing.assert_close(padded[0], tight[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(padded[1][:, :2], tight[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rate", ["dropout", "text_dropout", "fusion_dropout"])
def test_dropout_acts_in_training_only(rate):
    net = encoder(**{rate: 0.5})
    vision, text = torch.randn(1, 16, 16), torch.randn(1, 3, 16)
    first, again = (torch.cat(net.eval()(vision, text, context(3)), 1) for _ in range(2))
    assert torch.equal(first, again)
    first, again = (torch.cat(net.train()(vision, text, context(3)), 1) for _ in range(2))
    assert not torch.allclose(first, again)


def test_drop_path_skips_whole_units_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = DropPath(0.25).train()(torch.ones(4000, 2, 3))
    assert dropped.flatten(1).std(1).max() == 0
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(DropPath(0.25).eval()(torch.ones(2, 1, 1)), torch.ones(2, 1, 1))
    assert torch.equal(DropPath(0.0).train()(torch.ones(2, 1, 1)), torch.ones(2, 1, 1))
