import torch

from tests.decoders.detection.test_decoder import decoder, pictures, units


def test_the_last_layer_is_the_result():
    with torch.no_grad():
        outputs = decoder()(units([[True]]), pictures([(64, 96)]))
    assert outputs.logits is outputs.layers[-1].logits
    assert outputs.boxes is outputs.layers[-1].boxes


def test_masks_cover_each_pictures_own_canvas():
    with torch.no_grad():
        outputs = decoder()(units([[True]] * 2), pictures([(64, 96), (20, 40)]))
    assert outputs.mask_logits(0, torch.tensor([0, 3])).shape == (2, 16, 24)
    assert outputs.mask_logits(1, torch.tensor([], dtype=torch.long)).shape == (0, 8, 16)
