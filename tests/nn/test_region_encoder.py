from dataclasses import replace

import pytest
import torch

from visionllm.config.quirks import Quirks
from visionllm.nn.region_encoder import (
    RegionEncoder,
    RegionEncoderConfig,
    cell_weights,
    random_pixels,
    spread_pixels,
)

SIDE = 32


def encoder(quirks: Quirks | None = None, **settings) -> RegionEncoder:
    torch.manual_seed(0)
    config = replace(RegionEncoderConfig(patch_size=8, hidden_width=16), **settings)
    return RegionEncoder(config, 24, 10, quirks).eval()


def regions(count: int = 3, levels: int = 2) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(1)
    masks = torch.zeros(count, SIDE, SIDE)
    for i in range(count):
        masks[i, 3 * i : 3 * i + 10, 5 : 9 + 4 * i] = 1
    features = [torch.randn(count, 16, 24, generator=g) for _ in range(levels)]
    return torch.randn(count, 3, SIDE, SIDE, generator=g), masks, features


@pytest.mark.parametrize("pooling", ["sample", "mean", "cross_attn"])
def test_no_region_depends_on_another(pooling):
    net = encoder(pooling=pooling)
    images, masks, levels = regions()
    masks[0] = 0
    together = net(images, masks, levels)
    for i in range(3):
        alone = net(images[i : i + 1], masks[i : i + 1], [level[i : i + 1] for level in levels])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_an_empty_mask_gives_the_bias():
    net = encoder()
    images, masks, levels = regions(1)
    torch.testing.assert_close(net(images, masks * 0, levels)[0], net.up_dim.bias)


def test_no_regions_give_no_vectors():
    assert encoder()(*regions(0)).shape == (0, 10)


@pytest.mark.parametrize("kind", [torch.float32, torch.bool, torch.uint8])
@pytest.mark.parametrize("channel", [True, False], ids=["with-channel", "without"])
def test_masks_may_have_any_type_and_a_channel(kind, channel):
    images, masks, levels = regions()
    net = encoder()
    given = masks.to(kind)[:, None] if channel else masks.to(kind)
    assert torch.equal(net(images, given, levels), net(images, masks, levels))


def test_levels_may_be_maps():
    images, masks, levels = regions()
    maps = [level.transpose(1, 2).unflatten(2, (4, 4)) for level in levels]
    assert torch.equal(encoder()(images, masks, maps), encoder()(images, masks, levels))


def test_features_inside_the_mask_count_and_others_do_not():
    net = encoder()
    images, masks, levels = regions(1, levels=1)
    near, far = levels[0].clone(), levels[0].clone()
    near[0, 5] += 1
    far[0, 15] += 1
    base = net(images, masks, levels)
    assert not torch.allclose(net(images, masks, [near]), base)
    assert torch.allclose(net(images, masks, [far]), base)


def test_large_regions_are_read_at_the_same_pixels_every_time():
    net = encoder(points=20)
    assert torch.equal(net(*regions()), net(*regions()))


def test_published_points_are_random_but_seeded():
    net = encoder(Quirks(random_region_points=True), points=20)
    one, same, other = (net(*regions(), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_small_regions_need_no_draw():
    torch.testing.assert_close(encoder()(*regions()), encoder(Quirks(random_region_points=True))(*regions()))


@pytest.mark.parametrize(("count", "limit"), [(0, 3), (1, 3), (3, 3), (4, 3), (100, 7), (1000, 999), (2304, 2304)])
@pytest.mark.parametrize("choose", [spread_pixels, random_pixels])
def test_at_most_so_many_pixels_are_kept(choose, count, limit):
    mask = (torch.arange(2400) < count).view(1, 40, 60)
    kept = choose(mask, limit)
    assert kept.sum() == min(count, limit)
    assert not (kept & ~mask).any()


def test_kept_pixels_are_evenly_spread():
    kept = spread_pixels(torch.ones(1, 10, 10, dtype=torch.bool), 25).flatten().nonzero().squeeze(1)
    assert kept.diff().unique().tolist() == [4]


def test_pixels_are_read_without_a_half_pixel_offset():
    pixels = torch.zeros(1, 4, 8, dtype=torch.bool)
    pixels[0, 2, 6] = True
    # as published: grid_sample at 2·(6/8, 2/4) − 1
    expected = torch.nn.functional.grid_sample(
        torch.eye(8).view(1, 8, 2, 4), torch.tensor([[[[0.5, 0.0]]]]), align_corners=False
    )
    torch.testing.assert_close(cell_weights(pixels, 2, 4).flatten(), expected.flatten())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_size": 7}, "expected an even patch_size, got 7"),
        ({"patch_size": 0}, "expected an even patch_size, got 0"),
        ({"hidden_width": 6}, "expected hidden_width to be a multiple of 4, got 6"),
        ({"points": 0}, "expected points >= 1, got 0"),
        ({"pooling": "max"}, "expected pooling to be sample, mean or cross_attn, got 'max'"),
    ],
)
def test_a_wrong_size_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RegionEncoderConfig(**settings)


def test_masks_must_fit_the_pictures():
    images, masks, levels = regions()
    with pytest.raises(ValueError, match="expected one mask per image, of its size"):
        encoder()(images, masks[:2], levels)
    with pytest.raises(ValueError, match="expected one mask per image, of its size"):
        encoder()(images, masks[:, :16], levels)


def test_features_must_fit_the_cells():
    images, masks, levels = regions()
    with pytest.raises(ValueError, match="expected features of 3 regions, 4×4 cells"):
        encoder()(images, masks, [levels[0][:, :9]])
    with pytest.raises(ValueError, match="expected at least one level"):
        encoder()(images, masks, [])
