import numpy as np
import pytest

from visionllm.data.world import photos
from visionllm.data.world.photos import TEST_PHOTOS, TRAIN_PHOTOS, photo_crop
from visionllm.data.world.splits import picture_dice


def test_training_and_test_use_different_photos():
    assert not set(TRAIN_PHOTOS) & set(TEST_PHOTOS)


@pytest.mark.parametrize("name", TRAIN_PHOTOS + TEST_PHOTOS)
def test_every_photo_comes_with_scikit_image(name):
    crop = photo_crop(picture_dice(0, "test"), (name,), (64, 200), dark=True)
    assert crop.size == (200, 64)
    assert np.asarray(crop).std() > 1


def test_photos_are_not_darkened_unless_allowed():
    means = [
        np.asarray(photo_crop(picture_dice(seed, "test"), ("chelsea",), (64, 64), dark=False)).mean()
        for seed in range(12)
    ]
    assert min(means) > 90


def test_a_missing_scikit_image_is_told_with_the_way_out(monkeypatch):
    photos._photo.cache_clear()
    monkeypatch.setattr(photos, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"install visionllm-v2\[world\], or draw with photos=False"):
        photo_crop(picture_dice(0, "test"), ("chelsea",), (64, 64), dark=False)
