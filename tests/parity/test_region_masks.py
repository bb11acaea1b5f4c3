"""Region masks beside the published code's."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from tests.parity.golden import Golden, sets
from visionllm.processing.regions import (
    published_box_masks,
    published_example_region,
    published_split_masks,
    stroke_mask,
)


def cases(name: str) -> list[Any]:
    found = [(golden, case) for golden in sets("region_masks") for case in golden.json("cases.json")[name]]
    return [pytest.param(golden, case, id=f"{golden}-{i}") for i, (golden, case) in enumerate(found)]


@cache
def arrays(golden: Golden) -> dict[str, NDArray[Any]]:
    with np.load(golden.path / "arrays.npz") as stored:
        return dict(stored)


def unpacked(packed: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    return np.unpackbits(packed, axis=1, count=height * width).reshape(-1, height, width).astype(bool)


def decoded(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    if isinstance(segmentation, list):
        segmentation = coco.merge(coco.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        segmentation = coco.frPyObjects(segmentation, height, width)
    return coco.decode(segmentation).astype(bool)


@pytest.mark.parametrize(("golden", "case"), cases("boxes_to_masks"))
def test_boxes_are_filled_as_published(golden: Golden, case: dict[str, Any]) -> None:
    size_hw = case["height"], case["width"]
    masks = published_box_masks(torch.tensor(case["boxes_xyxy"]), size_hw)
    assert masks.sum((1, 2)).tolist() == case["area"]
    assert np.array_equal(masks.numpy() > 0, unpacked(arrays(golden)[f"{case['key']}.packed"], *size_hw))


@pytest.mark.parametrize(("golden", "case"), cases("annotation_to_region"))
def test_annotations_become_the_published_regions(golden: Golden, case: dict[str, Any]) -> None:
    height, width, size = case["height"], case["width"], case["image_size"]
    x, y, w, h = case["bbox_xywh"]
    corners = torch.tensor([[x, y, x + w, y + h]]) / torch.tensor([width, height, width, height]) * size
    box = published_box_masks(corners, (size, size))
    assert box.sum() == case["bbox_area"]
    assert np.array_equal(box.numpy() > 0, unpacked(arrays(golden)[f"{case['key']}.bbox_packed"], size, size))
    mask = published_split_masks(decoded(case["segmentation"], height, width)[None], size)
    assert mask.sum() == case["mask_area"]
    assert np.array_equal(mask.numpy() > 0, unpacked(arrays(golden)[f"{case['key']}.mask_packed"], size, size))


@pytest.mark.parametrize("mode", ["Box", "Mask", "Point", "Scribble"])
@pytest.mark.parametrize(("golden", "case"), cases("interactive_test"))
def test_prompts_become_the_published_regions(golden: Golden, case: dict[str, Any], mode: str) -> None:
    size, expected = case["image_size"], case[mode]
    prompts = [a[f"{mode.lower()}_visual_prompt_mask"] for a in case["anns"]]
    regions = published_split_masks(np.stack([decoded(p, case["height"], case["width"]) for p in prompts]), size)
    valid = regions.sum((1, 2)) > 0
    assert valid.int().tolist() == expected["valid"]
    assert regions[valid].sum((1, 2)).tolist() == expected["areas"]
    packed = arrays(golden).get(f"{case['key']}.{mode}_packed")
    assert (packed is None) == (expected["num_left"] == 0)
    if packed is not None:
        assert np.array_equal(regions[valid].numpy() > 0, unpacked(packed, size, size))


@pytest.mark.parametrize("golden", sets("region_masks"), ids=str)
def test_box_prompts_of_objects_are_filled_as_published(golden: Golden) -> None:
    theirs = arrays(golden)["sampler.Box.rand_shape"]
    boxes = torch.from_numpy(arrays(golden)["sampler.gt_boxes"])
    masks = published_box_masks(boxes, (theirs.shape[1], theirs.shape[2]))
    assert np.array_equal(masks.numpy()[golden.json("cases.json")["sampler_Box"]["indices"]] > 0, theirs)


@pytest.mark.parametrize(("golden", "case"), cases("stroke_rasterisation"))
def test_strokes_are_drawn_as_published(golden: Golden, case: dict[str, Any]) -> None:
    points = list(zip(case["xs"], case["ys"], strict=True))
    mask = stroke_mask(points, case["brush_width"], (case["height"], case["width"]))
    assert mask.sum() == case["area"]
    assert np.array_equal(mask, arrays(golden)[case["key"]])


@pytest.mark.parametrize(("golden", "case"), cases("in_context"))
def test_example_regions_are_the_published_ones(golden: Golden, case: dict[str, Any]) -> None:
    region = published_example_region(Image.fromarray(arrays(golden)[f"{case['key']}.input"]), case["image_size"])
    torch.testing.assert_close(region, torch.from_numpy(arrays(golden)[f"{case['key']}.region"]), rtol=0, atol=1e-6)
    assert np.unique(region.numpy()).tolist() == pytest.approx(case["values"], abs=1e-6)
