"""Decoder images beside the published code's."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.parity.golden import Golden, sets
from visionllm.processing.decoder_images import (
    DecoderImageConfig,
    decoder_pixels,
    resize_masks,
    resize_picture,
    resized_hw,
)
from visionllm.processing.tiles import to_pixels

KEPT_RATIO = re.compile(r"(?:detector|semantic)_(\d+)x(\d+)_rows_w_h_neww_newh")
POSE = re.compile(r"pose_short(\d+)_max(\d+)_rows_w_h_neww_newh")


def cases(name: str) -> list[Any]:
    found = [(golden, case) for golden in sets("tool_image") for case in golden.json("cases.json")[name]]
    return [pytest.param(golden, case, id=f"{golden}-{i}") for i, (golden, case) in enumerate(found)]


def detector(long_side: int, short_side: int) -> DecoderImageConfig:
    return DecoderImageConfig(short_side=short_side, long_side=long_side)


def pose(short_side: int, long_side: int) -> DecoderImageConfig:
    return replace(DecoderImageConfig.published_pose(), short_side=short_side, long_side=long_side)


def tables() -> list[Any]:
    found = []
    for golden in sets("tool_image"):
        for name, rows in golden.json("cases.json").items():
            if sides := KEPT_RATIO.fullmatch(name):
                found.append(pytest.param(detector(int(sides[1]), int(sides[2])), rows, id=f"{golden}-{name}"))
            elif sides := POSE.fullmatch(name):
                found.append(pytest.param(pose(int(sides[1]), int(sides[2])), rows, id=f"{golden}-{name}"))
    return found


@cache
def tensors(golden: Golden) -> dict[str, Tensor]:
    return golden.tensors("tensors.safetensors")


def assert_within_one(ours: Image.Image, theirs: Tensor) -> None:
    pixels = torch.from_numpy(np.array(ours)).int()
    assert pixels.shape == theirs.shape
    assert (pixels - theirs).abs().max() <= 1


@pytest.mark.parametrize(("config", "rows"), tables())
def test_sizes_are_the_published_ones(config: DecoderImageConfig, rows: list[list[int]]) -> None:
    for width, height, new_width, new_height in rows:
        assert resized_hw((height, width), config) == (new_height, new_width), (width, height)


@pytest.mark.parametrize(("golden", "case"), cases("detector"))
def test_the_detector_gets_the_published_pixels(golden: Golden, case: dict[str, Any]) -> None:
    config, key = detector(*case["scale"]), case["key"]
    image = Image.fromarray(tensors(golden)[f"{key}.image"].numpy())
    size_hw = resized_hw((image.height, image.width), config)
    assert size_hw == (case["new_height"], case["new_width"])
    resized = tensors(golden)[f"{key}.resized_rgb"]
    assert_within_one(resize_picture(image, size_hw), resized)
    for name in (name for name in tensors(golden) if name.startswith(f"{key}.stretched")):
        stretched = tensors(golden)[name]
        assert_within_one(resize_picture(image, (stretched.shape[0], stretched.shape[1])), stretched)
    theirs = tensors(golden)[f"{key}.normalized"]
    one_step = 1.01 / 255 / min(config.std)
    torch.testing.assert_close(decoder_pixels(image, config), theirs, rtol=0, atol=one_step)
    ours = to_pixels(Image.fromarray(resized.numpy()), config.mean, config.std)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("golden", "case"), cases("detector"))
def test_masks_are_resized_as_published(golden: Golden, case: dict[str, Any]) -> None:
    mine = f"{case['key']}.mask"
    mask = (tensors(golden)[mine][None] > 0).numpy()
    for name in (name for name in tensors(golden) if name.startswith(f"{mine}_")):
        theirs = (tensors(golden)[name] > 0).numpy()
        ours = resize_masks(mask, (theirs.shape[0], theirs.shape[1]), published=True)[0]
        assert np.array_equal(ours, theirs), name


@pytest.mark.parametrize(("golden", "case"), cases("pose"))
def test_the_pose_estimator_gets_the_published_pixels(golden: Golden, case: dict[str, Any]) -> None:
    image = Image.fromarray(tensors(golden)[f"{case['key']}.image"].numpy())
    ours = decoder_pixels(image, pose(case["size"], case["max_size"]))
    torch.testing.assert_close(ours, tensors(golden)[f"{case['key']}.normalized"], rtol=0, atol=1e-5)
