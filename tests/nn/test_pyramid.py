import pytest
import torch

from visionllm.nn.pyramid import FeaturePyramid, Pyramid
from visionllm.types.tensors import ImageBatch

RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16],
    "depths": [1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage1", "stage2", "stage3"],
}


def images(*sizes: tuple[int, int], canvas: tuple[int, int] = (64, 96)) -> ImageBatch:
    mask = torch.zeros(len(sizes), *canvas, dtype=torch.bool)
    for i, (h, w) in enumerate(sizes):
        mask[i, :h, :w] = True
    resized = torch.tensor(sizes)
    values = torch.randn(len(sizes), 3, *canvas, generator=torch.Generator().manual_seed(0)) * mask[:, None]
    return ImageBatch(pixel_values=values, pixel_mask=mask, sizes_hw=resized, resized_hw=resized)


def pyramid(batch: ImageBatch, **settings) -> Pyramid:
    torch.manual_seed(0)
    settings = {"pixel_stage": "stage1", "width": 32, "levels": 4} | settings
    with torch.no_grad():
        return FeaturePyramid(RESNET, **settings).eval()(batch)


def test_levels_beyond_the_backbone_halve_the_last():
    built = pyramid(images((64, 96)))
    assert built.shapes == ((8, 12), (4, 6), (2, 3), (1, 2))
    assert built.tokens.shape == built.positions.shape == (1, 96 + 24 + 6 + 2, 32)
    assert built.pixels.shape == (1, 8, 16, 24)
    assert built.stride == 4


def test_any_stage_may_feed_the_pixel_decoder():
    built = pyramid(images((64, 96)), pixel_stage="stage2", levels=2)
    assert built.shapes == ((16, 24), (4, 6))
    assert built.pixels.shape == (1, 12, 8, 12)
    assert built.stride == 8


def test_real_cells_are_counted():
    built = pyramid(images((64, 96), (40, 50)), levels=2)
    assert built.real_wh.tolist() == [[[12, 8], [6, 4]], [[7, 5], [4, 3]]]
    assert built.mask[1].sum() == 7 * 5 + 4 * 3
    assert built.finest_hw.tolist() == [[8, 12], [8, 8]]
    assert built.pixels_hw.tolist() == [[16, 24], [16, 16]]


def test_centres_are_shares_of_the_real_picture():
    built = pyramid(images((64, 96), (32, 48)), levels=2)
    torch.testing.assert_close(built.centres[1, 0], torch.tensor([0.5 / 6, 0.5 / 4]))
    torch.testing.assert_close(built.centres[0, -1], torch.tensor([5.5 / 6, 3.5 / 4]))


def test_a_canvas_is_padded_up_to_the_divisor():
    assert pyramid(images((20, 33), canvas=(20, 33)), levels=2).shapes == ((4, 8), (2, 4))


def test_a_picture_sees_its_own_canvas_only():
    both, alone = pyramid(images((64, 96), (32, 64))), pyramid(images((64, 96), (32, 64)).select(torch.tensor([1])))
    finest = both.tokens[1, : 8 * 12].view(8, 12, 32)[:4, :8]
    torch.testing.assert_close(finest, alone.tokens[0, : 4 * 8].view(4, 8, 32), atol=1e-5, rtol=1e-5)


def test_a_shared_canvas_changes_small_pictures():
    batch = images((64, 96), (32, 64))
    own, shared = pyramid(batch), pyramid(batch, share_canvas=True)
    torch.testing.assert_close(own.tokens[0], shared.tokens[0], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(own.tokens[1], shared.tokens[1], atol=1e-3)


def test_selecting_repeats_pictures():
    built = pyramid(images((64, 96), (32, 64)))
    chosen = built.select(torch.tensor([1, 0, 1]))
    assert torch.equal(chosen.tokens[2], built.tokens[1])
    assert chosen.pixels_hw.tolist() == [built.pixels_hw[i].tolist() for i in (1, 0, 1)]
    assert chosen.shapes == built.shapes


@pytest.mark.parametrize("index", [[], [0]], ids=["none", "one"])
def test_selecting_few_pictures(index):
    chosen = pyramid(images((64, 96))).select(torch.tensor(index, dtype=torch.long))
    assert len(chosen.tokens) == len(chosen.real_share) == len(index)
