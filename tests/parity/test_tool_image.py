"""Decoder images beside the published code's."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from visionllm.processing.decoder_images import (
    DecoderImageConfig,
    decoder_pixels,
    resize_masks,
    resize_picture,
    resized_hw,
)
from visionllm.processing.tiles import to_pixels

FOLDER = Path(os.environ.get("VISIONLLM_GOLDEN", Path(__file__).parent / "golden")) / "tool_image"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="this collection has no such set")
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.is_dir() else {}
KEPT_RATIO = re.compile(r"(?:detector|semantic)_(\d+)x(\d+)_rows_w_h_neww_newh")
POSE = re.compile(r"pose_short(\d+)_max(\d+)_rows_w_h_neww_newh")


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return load_file(FOLDER / "tensors.safetensors")


def detector(long_side: int, short_side: int) -> DecoderImageConfig:
    return DecoderImageConfig(short_side=short_side, long_side=long_side)


def pose(short_side: int, long_side: int) -> DecoderImageConfig:
    return DecoderImageConfig(short_side=short_side, long_side=long_side, antialias=True, rounding="truncate")


def assert_within_one(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(np.int64) - theirs).max() <= 1


@pytest.mark.parametrize("name", [name for name in CASES if KEPT_RATIO.fullmatch(name) or POSE.fullmatch(name)])
def test_sizes_are_the_published_ones(name: str) -> None:
    kept, posed = KEPT_RATIO.fullmatch(name), POSE.fullmatch(name)
    config = detector(int(kept[1]), int(kept[2])) if kept else pose(int(posed[1]), int(posed[2])) if posed else None
    assert config is not None
    for width, height, new_width, new_height in CASES[name]:
        assert resized_hw((height, width), config) == (new_height, new_width), (width, height)


@pytest.mark.parametrize("case", CASES.get("detector", []), ids=lambda c: c["key"])
def test_the_detector_gets_the_published_pixels(case: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    key, config = case["key"], detector(*case["scale"])
    image = Image.fromarray(tensors[f"{key}.image"])
    size_hw = resized_hw((image.height, image.width), config)
    assert size_hw == (case["new_height"], case["new_width"])
    assert_within_one(np.asarray(resize_picture(image, size_hw)), tensors[f"{key}.resized_rgb"])
    stretched = tensors[f"{key}.stretched28_rgb"]
    assert_within_one(np.asarray(resize_picture(image, stretched.shape[:2])), stretched)
    step = 1.01 / 255 / min(config.std)
    theirs = torch.from_numpy(tensors[f"{key}.normalized"])
    torch.testing.assert_close(decoder_pixels(image, config), theirs, rtol=0, atol=step)
    ours = to_pixels(Image.fromarray(tensors[f"{key}.resized_rgb"]), config.mean, config.std)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES.get("detector", []), ids=lambda c: c["key"])
def test_masks_are_resized_as_published(case: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    mask = tensors[f"{case['key']}.mask"][None] > 0
    for name in ("mask_rescaled", "mask_stretched28"):
        theirs = tensors[f"{case['key']}.{name}"] > 0
        height, width = theirs.shape
        assert (resize_masks(mask, (height, width), published=True)[0] == theirs).all(), name


@pytest.mark.parametrize("case", CASES.get("pose", []), ids=lambda c: c["key"])
def test_the_pose_estimator_gets_the_published_pixels(case: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    image = Image.fromarray(tensors[f"{case['key']}.image"])
    ours = decoder_pixels(image, pose(case["size"], case["max_size"]))
    theirs = torch.from_numpy(tensors[f"{case['key']}.normalized"])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
