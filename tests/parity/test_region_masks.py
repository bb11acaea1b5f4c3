"""Region masks beside the published code's."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco

from visionllm.processing.regions import (
    published_box_masks,
    published_example_region,
    published_split_masks,
    stroke_mask,
)

FOLDER = Path(os.environ.get("VISIONLLM_GOLDEN", Path(__file__).parent / "golden")) / "region_masks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="this collection has no such set")
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.is_dir() else {}
MODES = ("Box", "Mask", "Point", "Scribble")


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "arrays.npz") as stored:
        return dict(stored)


def unpacked(packed: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.unpackbits(packed, axis=1, count=height * width).reshape(-1, height, width).astype(bool)


def decoded(segmentation: Any, height: int, width: int) -> np.ndarray:
    if isinstance(segmentation, list):
        segmentation = coco.merge(coco.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        segmentation = coco.frPyObjects(segmentation, height, width)
    return coco.decode(segmentation).astype(bool)


@pytest.mark.parametrize("case", CASES.get("boxes_to_masks", []), ids=lambda c: c["key"])
def test_boxes_are_filled_as_published(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    size_hw = case["height"], case["width"]
    masks = published_box_masks(torch.tensor(case["boxes_xyxy"]), size_hw)
    assert masks.sum((1, 2)).tolist() == case["area"]
    assert (masks.numpy() > 0).tolist() == unpacked(arrays[f"{case['key']}.packed"], *size_hw).tolist()


@pytest.mark.parametrize("case", CASES.get("annotation_to_region", []), ids=lambda c: c["key"])
def test_annotations_become_the_published_regions(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    height, width, size = case["height"], case["width"], case["image_size"]
    x, y, w, h = case["bbox_xywh"]
    corners = torch.tensor([[x, y, x + w, y + h]]) / torch.tensor([width, height, width, height]) * size
    box = published_box_masks(corners, (size, size))
    assert box.sum() == case["bbox_area"]
    assert (box.numpy() > 0).tolist() == unpacked(arrays[f"{case['key']}.bbox_packed"], size, size).tolist()
    mask = published_split_masks(decoded(case["segmentation"], height, width)[None], size)
    assert mask.sum() == case["mask_area"]
    assert (mask.numpy() > 0).tolist() == unpacked(arrays[f"{case['key']}.mask_packed"], size, size).tolist()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES.get("interactive_test", []), ids=lambda c: c["key"])
def test_prompts_become_the_published_regions(case: dict[str, Any], mode: str, arrays: dict[str, np.ndarray]) -> None:
    size, expected = case["image_size"], case[mode]
    prompts = [a[f"{mode.lower()}_visual_prompt_mask"] for a in case["anns"]]
    masks = np.stack([decoded(p, case["height"], case["width"]) for p in prompts])
    regions = published_split_masks(masks, size)
    valid = regions.sum((1, 2)) > 0
    assert valid.int().tolist() == expected["valid"]
    assert regions[valid].sum((1, 2)).tolist() == expected["areas"]
    packed = arrays.get(f"{case['key']}.{mode}_packed")
    assert (packed is None) == (expected["num_left"] == 0)
    if packed is not None:
        assert (regions[valid].numpy() > 0).tolist() == unpacked(packed, size, size).tolist()


def test_box_prompts_of_objects_are_filled_as_published(arrays: dict[str, np.ndarray]) -> None:
    theirs = arrays["sampler.Box.rand_shape"]
    masks = published_box_masks(torch.from_numpy(arrays["sampler.gt_boxes"]).float(), theirs.shape[1:])
    assert (masks.numpy() > 0).tolist() == theirs[np.argsort(CASES["sampler_Box"]["indices"])].tolist()


@pytest.mark.parametrize("case", CASES.get("stroke_rasterisation", []), ids=lambda c: c["key"])
def test_strokes_are_drawn_as_published(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    points = list(zip(case["xs"], case["ys"], strict=True))
    mask = stroke_mask(points, case["brush_width"], (case["height"], case["width"]))
    assert mask.sum() == case["area"]
    assert (mask == arrays[case["key"]]).all()


@pytest.mark.parametrize("case", CASES.get("in_context", []), ids=lambda c: c["key"])
def test_example_regions_are_the_published_ones(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    region = published_example_region(Image.fromarray(arrays[f"{case['key']}.input"]), case["image_size"])
    torch.testing.assert_close(region, torch.from_numpy(arrays[f"{case['key']}.region"]), rtol=0, atol=1e-6)
    assert np.unique(region.numpy()).tolist() == pytest.approx(case["values"], abs=1e-6)
