"""Splits of pictures beside the published code's."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from visionllm.processing.tiles import (
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

FOLDER = Path(os.environ.get("VISIONLLM_GOLDEN", Path(__file__).parent / "golden")) / "tiles"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="this collection has no such set")
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.is_dir() else {}
SAME_PILLOW = CASES.get("pillow", "").split(".")[0] == PIL.__version__.split(".")[0]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "arrays.npz") as stored:
        return dict(stored)


def pattern(width: int, height: int, k: int) -> Image.Image:
    y, x = np.mgrid[:height, :width].astype(np.int64)
    channels = (x * (3 + k) + 5 * y, x * x // (7 + k) + 2 * y, (x // 4 * 11) ^ (y // 3 * 13))
    return Image.fromarray((np.stack(channels, axis=2) % 256).astype(np.uint8))


def digest(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


def settings(case: dict[str, Any]) -> VisionImageConfig:
    return VisionImageConfig(
        image_size=case["image_size"], max_tiles=case["max_num"], mean=tuple(case["image_mean"]), std=tuple(case["image_std"])
    )


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(np.int64) - theirs).max(initial=0) <= (0 if SAME_PILLOW else 1)


@pytest.mark.parametrize("case", CASES.get("tiles", []), ids=lambda c: f"{c['width']}x{c['height']}")
def test_tiles_have_the_published_pixels(case: dict[str, Any]) -> None:
    image = pattern(case["width"], case["height"], case["pattern_k"])
    assert digest(image) == case["image_sha256"]
    for setting in case["settings"]:
        size, most = setting["image_size"], setting["max_num"]
        assert choose_grid(*image.size, size, most) == (setting["columns"], setting["rows"])
        tiles = cut_tiles(image, size, most)
        config = VisionImageConfig(image_size=size, max_tiles=most)
        assert len(tiles) == setting["num_tiles"] == split_count(*image.size, config)
        for tile, expected in zip(tiles, setting["tiles"], strict=True):
            pixels = np.asarray(tile).astype(np.int64)
            corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
            assert_close(corners, np.array(expected["corner_pixels"]))
            assert pixels.mean((0, 1)) == pytest.approx(expected["mean_rgb"], abs=1e-9 if SAME_PILLOW else 0.5)
            if SAME_PILLOW:
                assert digest(tile) == expected["sha256"]


@pytest.mark.parametrize("case", CASES.get("grids", []), ids=lambda c: f"{c['image_size']}-{c['min_num']}-{c['max_num']}")
def test_grids_are_the_published_ones(case: dict[str, Any]) -> None:
    for width, height, columns, rows, tiles in case["rows_w_h_columns_rows_tiles"]:
        found = choose_grid(width, height, case["image_size"], case["max_num"], case["min_num"])
        assert found == (columns, rows), (width, height)
        assert tiles == columns * rows + (case["use_thumbnail"] and columns * rows > 1)


@pytest.mark.parametrize("case", CASES.get("expand2square", []), ids=lambda c: f"{c['width']}x{c['height']}")
def test_square_padding_is_the_published_one(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    image = pattern(case["width"], case["height"], case["pattern_k"])
    padded = pad_to_square(image, tuple(case["background"]))
    assert padded.size == (case["side"], case["side"])
    assert digest(padded) == case["sha256"]
    assert_close(np.asarray(padded), arrays[f"square_{case['width']}x{case['height']}"])


@pytest.mark.parametrize("case", CASES.get("clip", []), ids=lambda c: c["key"])
def test_the_vision_encoder_gets_the_published_pixels(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    stored = {name.removeprefix(f"{case['key']}."): a for name, a in arrays.items() if name.startswith(f"{case['key']}.")}
    image, config = Image.fromarray(stored["image"]), settings(case)
    assert_close(np.asarray(image), np.asarray(pattern(case["width"], case["height"], case["pattern_k"])))
    tiles = cut_tiles(image, config.image_size, config.max_tiles)
    assert_close(np.stack([np.asarray(tile) for tile in tiles]), stored["tiles"])
    assert mean_colour(config.mean) == tuple(case["background"])
    assert_close(np.asarray(pad_to_square(image, mean_colour(config.mean))), stored["square"])
    tolerance = 1e-5 if SAME_PILLOW else 1.01 / 255 / min(config.std)
    uncropped = to_pixels(resize_shortest(image, config.image_size), config.mean, config.std)
    pairs = {"nocrop_pixel_values": uncropped}
    for name, mode in {
        "pixel_values": "tiles",
        "square_pixel_values": "pad",
        "plain_pixel_values": "square",
        "stretch_pixel_values": "two-step-stretch",
    }.items():
        pixels = vision_pixels(image, VisionImageConfig(**{**vars(config), "mode": mode}))
        pairs[name] = pixels if mode == "tiles" else pixels[0]
    for name, ours in pairs.items():
        torch.testing.assert_close(ours, torch.from_numpy(stored[name]), rtol=0, atol=tolerance, msg=name)
