from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from visionllm.processing.tiles import (
    MODES,
    VisionImageConfig,
    choose_grid,
    crop_centre,
    cut_tiles,
    grids,
    mean_colour,
    pad_to_square,
    resize_shortest,
    split_count,
    to_pixels,
    vision_pixels,
)

MakePicture = Callable[..., Image.Image]
SIZE = 16
GREY = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


def settings(mode: str, **others: object) -> VisionImageConfig:
    return VisionImageConfig(**{"image_size": SIZE, "mode": mode, **GREY, **others})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("width", "height"), [(16, 16), (60, 40), (7, 31), (1, 1), (200, 11)])
def test_every_mode_gives_as_many_splits_as_promised(mode: str, width: int, height: int, picture: MakePicture) -> None:
    config = settings(mode)
    pixels = vision_pixels(picture(width, height), config)
    assert pixels.shape == (split_count(width, height, config), 3, SIZE, SIZE)
    assert pixels.dtype == torch.float32
    assert pixels.abs().max() <= 1.2, "values in [0, 1] were normalised by 0.5 and 0.5"


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_the_right_size_is_only_normalised(mode: str, picture: MakePicture) -> None:
    image = picture(SIZE, SIZE)
    expected = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(vision_pixels(image, settings(mode)), expected[None])


def test_the_last_split_is_the_whole_picture(picture: MakePicture) -> None:
    image = picture(60, 30)
    pixels = vision_pixels(image, settings("tiles"))
    assert len(pixels) == 3
    torch.testing.assert_close(pixels[-1:], vision_pixels(image, settings("stretch")))


def test_tiles_run_row_by_row() -> None:
    image = Image.new("RGB", (2 * SIZE, 2 * SIZE))
    for i, corner in enumerate([(0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE)]):
        image.paste((50 * i,) * 3, (*corner, corner[0] + SIZE, corner[1] + SIZE))
    tiles = cut_tiles(image, SIZE, 4)
    assert [tile.getpixel((8, 8)) for tile in tiles[:4]] == [(0,) * 3, (50,) * 3, (100,) * 3, (150,) * 3]
    assert len(cut_tiles(image, SIZE, 4, thumbnail=False)) == 4


def test_candidate_grids_come_in_the_published_order() -> None:
    assert grids(6) == (
        *((1, 1), (1, 2), (2, 1), (3, 1), (1, 3), (4, 1), (1, 4), (2, 2)),
        *((1, 5), (5, 1), (6, 1), (2, 3), (1, 6), (3, 2)),
    )
    assert grids(3, 2) == ((1, 2), (2, 1), (3, 1), (1, 3))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((336, 336), (1, 1)),
        ((400, 400), (1, 1)),
        ((640, 640), (2, 2)),
        ((500, 375), (1, 1)),
        ((333, 500), (1, 2)),
        ((1000, 300), (3, 1)),
    ],
)
def test_the_grid_is_nearest_in_shape_and_large_pictures_win_ties(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert choose_grid(*size, 336, 4) == grid


def test_square_mode_shows_the_centre_and_pad_mode_everything() -> None:
    image = Image.new("RGB", (3 * SIZE, SIZE), "black")
    image.paste("white", (SIZE, 0, 2 * SIZE, SIZE))
    assert vision_pixels(image, settings("square")).min() == 1
    padded = vision_pixels(image, settings("pad"))[0, 0]
    assert padded[SIZE // 2, 0] == pytest.approx(-1, abs=0.1)
    assert padded[0, 0] == pytest.approx(127 / 127.5 - 1), "the mean colour, truncated"


def test_padding_puts_an_odd_remainder_behind(picture: MakePicture) -> None:
    image = picture(5, 2)
    padded = np.asarray(pad_to_square(image, (1, 2, 3)))
    assert np.array_equal(padded[1:3], np.asarray(image))
    assert padded[0].tolist() == padded[3].tolist() == padded[4].tolist() == [[1, 2, 3]] * 5
    assert pad_to_square(picture(4, 4), (0, 0, 0)).size == (4, 4)


def test_the_shortest_side_is_met_and_the_other_truncated(picture: MakePicture) -> None:
    assert resize_shortest(picture(45, 100), 28).size == (28, 62)
    assert resize_shortest(picture(100, 45), 28).size == (62, 28)
    assert crop_centre(picture(10, 7), 4).size == (4, 4)


def test_pixels_are_scaled_and_normalised_channel_by_channel() -> None:
    pixels = to_pixels(Image.new("RGB", (2, 1), (255, 0, 51)), (0.5, 0.0, 0.2), (0.5, 1.0, 0.1))
    torch.testing.assert_close(pixels, torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 1, 2))


def test_the_mean_colour_is_truncated() -> None:
    assert mean_colour((0.999, 0.5, 0.0)) == (254, 127, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "wide"}, "expected mode to be one of square, pad, tiles, stretch, two-step-stretch, got 'wide'"),
        ({"image_size": 0}, "expected image_size and max_tiles of at least 1, got 0 and 4"),
        ({"max_tiles": 0}, "of at least 1, got 336 and 0"),
        ({"std": (0.1, 0.0, 0.1)}, "expected std above 0, got"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VisionImageConfig(**values)  # pyright: ignore[reportArgumentType]
