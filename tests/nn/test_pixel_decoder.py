import torch

from tests.nn.test_pyramid import images, pyramid
from visionllm.nn.pixel_decoder import PixelDecoder


def test_features_are_as_large_as_the_finest_map():
    torch.manual_seed(0)
    built = pyramid(images((64, 96)))
    assert PixelDecoder(8, 32, 5)(built.tokens, built).shape == (1, 5, 16, 24)


def test_a_ragged_batch_gives_the_features_of_its_singles():
    torch.manual_seed(0)
    decoder = PixelDecoder(8, 32, 5)
    batch = images((64, 96), (32, 64))
    both, alone = pyramid(batch), pyramid(batch.select(torch.tensor([1])))
    features = decoder(both.tokens, both)
    torch.testing.assert_close(features[1:, :, :8, :16], decoder(alone.tokens, alone), atol=1e-5, rtol=1e-4)
    assert features[1, :, 8:].abs().sum() == features[1, :, :, 16:].abs().sum() == 0
