from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from visionllm.processing.decoder_images import (
    DecoderImageConfig,
    MadePictureConfig,
    decoder_batch,
    decoder_pixels,
    resize_masks,
    resize_picture,
    resized_hw,
)

MakePicture = Callable[..., Image.Image]
SMALL = DecoderImageConfig(short_side=None, long_side=32, size_divisor=16)


@pytest.mark.parametrize(
    ("size_hw", "config", "expected"),
    [
        ((480, 640), DecoderImageConfig(), (800, 1067)),
        ((480, 640), DecoderImageConfig(rounding="truncate"), (800, 1066)),
        ((100, 1000), DecoderImageConfig(), (133, 1333)),
        ((1000, 100), DecoderImageConfig(rounding="truncate"), (1330, 133)),
        ((800, 1000), DecoderImageConfig(rounding="truncate"), (800, 1000)),
        ((50, 100), SMALL, (16, 32)),
        ((32, 8), SMALL, (32, 8)),
        ((1, 2000), SMALL, (1, 32)),
        ((1, 2000), DecoderImageConfig(short_side=8, long_side=16, rounding="truncate"), (1, 2000)),
        ((2, 9000), DecoderImageConfig(short_side=8, long_side=16, rounding="truncate"), (1, 4500)),
    ],
)
def test_sizes_keep_the_ratio(size_hw: tuple[int, int], config: DecoderImageConfig, expected: tuple[int, int]) -> None:
    assert resized_hw(size_hw, config) == expected


def test_the_published_pose_estimator_sees_a_picture_its_own_way() -> None:
    pose = DecoderImageConfig.published_pose()
    assert resized_hw((480, 640), pose) == (800, 1066)
    assert pose.antialias


def test_resizing_without_a_filter_reads_between_two_pixels() -> None:
    image = Image.fromarray(np.array([[0, 100, 200, 50]], np.uint8)).convert("RGB")
    assert np.asarray(resize_picture(image, (1, 2)))[0, :, 0].tolist() == [50, 125]
    assert resize_picture(image, (1, 4)) is image


def test_resizing_with_a_filter_sees_every_pixel() -> None:
    image = Image.new("RGB", (64, 64), "black")
    image.putpixel((1, 1), (255, 255, 255))
    assert np.asarray(resize_picture(image, (16, 16))).max() == 64
    assert np.asarray(resize_picture(image, (8, 8))).max() == 0
    assert np.asarray(resize_picture(image, (8, 8), antialias=True)).max() > 0


def test_masks_take_the_nearest_pixel() -> None:
    mask = np.array([[[True, False, False, True, True]]])
    assert resize_masks(mask, (1, 2))[0, 0].tolist() == [False, True]
    assert resize_masks(mask, (1, 2), published=True)[0, 0].tolist() == [True, False]
    assert resize_masks(mask, (2, 10))[0].tolist() == [np.repeat(mask[0, 0], 2).tolist()] * 2
    assert resize_masks(mask, (1, 5)) is mask
    assert resize_masks(np.zeros((0, 4, 6), bool), (2, 3)).shape == (0, 2, 3)


def test_a_batch_tells_real_pixels_by_a_mask(picture: MakePicture) -> None:
    images = [picture(64, 20), picture(20, 60)]
    batch = decoder_batch(images, SMALL)
    assert batch.pixel_values.shape == (2, 3, 32, 32)
    assert batch.sizes_hw.tolist() == [[20, 64], [60, 20]]
    assert batch.resized_hw.tolist() == [[10, 32], [32, 11]]
    for values, mask, (h, w) in zip(batch.pixel_values, batch.pixel_mask, batch.resized_hw.tolist(), strict=True):
        assert mask[:h, :w].all()
        assert mask.sum() == h * w
        assert not values[:, ~mask].any()


def test_a_batch_equals_its_pictures_alone(picture: MakePicture) -> None:
    images = [picture(64, 20, 1), picture(20, 60, 2), picture(33, 33, 3)]
    batch = decoder_batch(images, SMALL)
    for values, (h, w), image in zip(batch.pixel_values, batch.resized_hw.tolist(), images, strict=True):
        assert torch.equal(values[:, :h, :w], decoder_pixels(image, SMALL))


def test_a_batch_is_padded_to_the_divisor(picture: MakePicture) -> None:
    assert decoder_batch([picture(64, 20)], SMALL).pixel_values.shape == (1, 3, 16, 32)


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one picture, got none"):
        decoder_batch([], SMALL)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rounding": "up"}, "expected rounding to be 'round' or 'truncate', got 'up'"),
        ({"rounding": "truncate", "short_side": None}, "expected a short_side with rounding 'truncate', got None"),
        ({"short_side": 0}, r"of at least 1, got \(0, 1333, 32\)"),
        ({"short_side": None, "long_side": 0}, r"of at least 1, got \(0, 0, 32\)"),
        ({"size_divisor": 0}, r"of at least 1, got \(800, 1333, 0\)"),
        ({"std": (0.0, 1.0, 1.0)}, "expected std above 0, got"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DecoderImageConfig(**values)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size_hw": (64, 60)}, r"multiples of 8 pixels, the step, got \(64, 60\)"),
        ({"size_hw": (0, 8)}, r"multiples of 8 pixels, the step, got \(0, 8\)"),
        ({"size_hw": (8, 8), "step": 0}, "multiples of 0 pixels"),
    ],
)
def test_sizes_that_no_decoder_makes_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MadePictureConfig(**values)  # pyright: ignore[reportArgumentType]
