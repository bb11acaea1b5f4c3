"""Splits of pictures beside the published code's."""

import hashlib
import os
from functools import cache
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.parity.golden import Golden, sets
from visionllm.processing.tiles import (
    Mode,
    VisionImageConfig,
    choose_grid,
    cut_tiles,
    mean_colour,
    pad_to_square,
    resize_shortest,
    split_count,
    to_pixels,
    vision_pixels,
)

Arrays = dict[str, NDArray[Any]]
FARTHEST, FEW = 5, 0.015
"""Between Pillow 13, which the golden numbers are from, and 12.3, at which gradio holds it, values differ by at most 5
and, of a hundred, one by more than 1. `make test-pixels` compares bit by bit."""


def cases(name: str) -> list[Any]:
    found = [(golden, case) for golden in sets("tiles") for case in golden.json("cases.json")[name]]
    return [pytest.param(golden, case, id=f"{golden}-{i}") for i, (golden, case) in enumerate(found)]


@cache
def arrays(golden: Golden) -> Arrays:
    with np.load(golden.path / "arrays.npz") as stored:
        return dict(stored)


@cache
def same_pillow(golden: Golden) -> bool:
    """Pillow's filters are bit-equal within a major version; see `FARTHEST` for the difference between two."""
    return golden.json("cases.json")["pillow"].split(".")[0] == PIL.__version__.split(".")[0]


@pytest.mark.skipif("EXACT_PIXELS" not in os.environ, reason="asked by `make test-pixels`")
def test_pillow_is_that_of_the_golden_pictures() -> None:
    assert all(same_pillow(golden) for golden in sets("tiles"))


def pattern(width: int, height: int, k: int) -> Image.Image:
    y, x = np.mgrid[:height, :width].astype(np.int64)
    channels = (x * (3 + k) + 5 * y, x * x // (7 + k) + 2 * y, (x // 4 * 11) ^ (y // 3 * 13))
    return Image.fromarray((np.stack(channels, axis=2) % 256).astype(np.uint8))


def digest(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


def assert_same(ours: Any, theirs: NDArray[Any], golden: Golden) -> None:
    ours = np.asarray(ours).astype(np.int64)
    assert ours.shape == theirs.shape
    apart = np.abs(ours - theirs)
    assert apart.max() <= (0 if same_pillow(golden) else FARTHEST)
    assert (apart > 1).sum() <= max(1, FEW * apart.size)


@pytest.mark.parametrize(("golden", "case"), cases("tiles"))
def test_tiles_have_the_published_pixels(golden: Golden, case: dict[str, Any]) -> None:
    image = pattern(case["width"], case["height"], case["pattern_k"])
    assert digest(image) == case["image_sha256"]
    for setting in case["settings"]:
        size, most = setting["image_size"], setting["max_num"]
        assert choose_grid(*image.size, size, most) == (setting["columns"], setting["rows"])
        tiles = cut_tiles(image, size, most)
        config = VisionImageConfig(image_size=size, max_tiles=most)
        assert len(tiles) == setting["num_tiles"] == split_count(*image.size, config)
        for tile, expected in zip(tiles, setting["tiles"], strict=True):
            pixels = np.asarray(tile)
            assert_same(pixels[[0, 0, -1, -1], [0, -1, 0, -1]], np.array(expected["corner_pixels"]), golden)
            assert pixels.mean((0, 1)) == pytest.approx(expected["mean_rgb"], abs=1e-9 if same_pillow(golden) else 0.5)
            if same_pillow(golden):
                assert digest(tile) == expected["sha256"]


@pytest.mark.parametrize(("golden", "case"), cases("grids"))
def test_grids_are_the_published_ones(golden: Golden, case: dict[str, Any]) -> None:
    for width, height, columns, rows, tiles in case["rows_w_h_columns_rows_tiles"]:
        found = choose_grid(width, height, case["image_size"], case["max_num"], case["min_num"])
        assert found == (columns, rows), (width, height)
        assert tiles == columns * rows + (case["use_thumbnail"] and columns * rows > 1)


@pytest.mark.parametrize(("golden", "case"), cases("expand2square"))
def test_square_padding_is_the_published_one(golden: Golden, case: dict[str, Any]) -> None:
    image = pattern(case["width"], case["height"], case["pattern_k"])
    red, green, blue = case["background"]
    padded = pad_to_square(image, (red, green, blue))
    assert padded.size == (case["side"], case["side"])
    assert digest(padded) == case["sha256"]
    assert np.array_equal(np.asarray(padded), arrays(golden)[f"square_{case['width']}x{case['height']}"])


@pytest.mark.parametrize(("golden", "case"), cases("clip"))
def test_the_vision_encoder_gets_the_published_pixels(golden: Golden, case: dict[str, Any]) -> None:
    mine = f"{case['key']}."
    stored = {name.removeprefix(mine): a for name, a in arrays(golden).items() if name.startswith(mine)}
    image, size, most = Image.fromarray(stored["image"]), case["image_size"], case["max_num"]
    mean, std = tuple(case["image_mean"]), tuple(case["image_std"])
    assert_same(image, np.asarray(pattern(case["width"], case["height"], case["pattern_k"])), golden)
    assert_same([np.asarray(tile) for tile in cut_tiles(image, size, most)], stored["tiles"], golden)
    assert mean_colour(mean) == tuple(case["background"])
    assert_same(pad_to_square(image, mean_colour(mean)), stored["square"], golden)
    found = {"nocrop_pixel_values": to_pixels(resize_shortest(image, size), mean, std)}
    modes: dict[str, Mode] = {
        "pixel_values": "tiles",
        "square_pixel_values": "pad",
        "plain_pixel_values": "square",
        "stretch_pixel_values": "two-step-stretch",
    }
    for name, mode in modes.items():
        config = VisionImageConfig(image_size=size, mode=mode, max_tiles=most, mean=mean, std=std)
        pixels = vision_pixels(image, config)
        found[name] = pixels if mode == "tiles" else pixels[0]
    tolerance = 1e-5 if same_pillow(golden) else (FARTHEST + 0.01) / 255 / min(std)
    for name, ours in found.items():
        torch.testing.assert_close(ours, torch.from_numpy(stored[name]), rtol=0, atol=tolerance, msg=name)
