"""Pictures of requests."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.server.helpers import png, url
from visionllm.processing import PictureLimits
from visionllm.server.budget import Budget
from visionllm.server.errors import ApiError
from visionllm.server.intake import NO_FETCHING, Intake, decoded, mask_of
from visionllm.server.schema.parts import RegionBody, RunLengths
from visionllm.types import Box, Mask
from visionllm.types.results import run_lengths


def intake(budget=None, **limits) -> Intake:
    return Intake(PictureLimits(**limits), 2, (budget or Budget(100_000)).lease())


def test_a_data_url_is_a_picture():
    assert intake().picture(url(), "image").size == (60, 40)


def test_pictures_are_counted_over_the_whole_request():
    opened = intake()
    opened.picture(url(), "a")
    opened.picture(url(), "b")
    with pytest.raises(ApiError, match="expected at most 2 pictures") as refused:
        opened.picture(url(), "c")
    assert (refused.value.code, refused.value.param) == ("too_many_images", "c")


def test_pixels_are_counted_over_the_whole_request_masks_included():
    opened = intake(max_pixels=4000)
    opened.picture(url(), "a")
    with pytest.raises(ApiError, match="expected at most 4000 pixels in all pictures"):
        opened.picture(url(), "b")
    marked = intake(max_pixels=3000)
    marked.picture(url(), "a")
    with pytest.raises(ApiError, match="3000 pixels"):
        marked.region(RegionBody(box=[1, 1, 2, 2]), (40, 60), 0, "r")


def test_memory_is_taken_before_a_picture_is_decoded_and_comes_back():
    budget = Budget(2399)
    with pytest.raises(ApiError, match="too many requests"):
        intake(budget).picture(url(), "a")
    assert budget.free == 2399


@pytest.mark.parametrize("text", ["data:image/png;base64,@@", "data:image/png;base64,abc", "data:image/png;base64,é"])
def test_broken_base_64_is_refused(text):
    with pytest.raises(ApiError, match="expected base 64"):
        decoded(text, "image")


@pytest.mark.parametrize(
    "text", ["", "x.png", "data:text/html;base64,AAAA", "data:image/png,AAAA", "data:;base64,AAAA"]
)
def test_what_is_no_data_url_of_a_picture_is_refused_in_fixed_words(text):
    with pytest.raises(ApiError, match="expected a data URL") as refused:
        decoded(text, "image")
    assert refused.value.detail == NO_FETCHING


def test_run_lengths_are_those_of_results():
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 2:5] = True
    mask[0, 0] = True
    back = mask_of(RunLengths(size=[4, 6], counts=run_lengths(mask)), (4, 6), "mask")
    assert (back == mask).all()


@pytest.mark.parametrize(
    "runs",
    [
        RunLengths(size=[6, 4], counts=[24]),
        RunLengths(size=[4, 6], counts=[23]),
        RunLengths(size=[4, 6], counts=[]),
        RunLengths(size=[4, 6], counts=[2**32]),
    ],
)
def test_run_lengths_of_another_size_are_refused(runs):
    with pytest.raises(ApiError, match="run lengths of a mask of size"):
        mask_of(runs, (4, 6), "mask")


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ApiError, match="expected a mask of 60×40 pixels, got 10×10"):
        intake().mask(png(10, 10), (40, 60), "mask")


MASKS = {
    "grey": ("L", 0, 255),
    "a-canvas": ("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)),
    "strokes-on-nothing": ("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)),
    "strokes-on-white-nothing": ("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)),
}


def drawn(mode, outside, inside) -> bytes:
    """Return the file of a 60×40 picture with 10×10 pixels inside."""
    image = Image.new(mode, (60, 40), outside)
    image.paste(inside, (10, 5, 20, 15))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", MASKS)
def test_the_white_pixels_of_a_mask_are_the_region(kind):
    found = intake().region(RegionBody(mask=url(drawn(*MASKS[kind]))), (40, 60), 0, "r")
    assert isinstance(found, Mask)
    assert found.pixels[5:15, 10:20].all() and found.pixels.sum() == 100


@pytest.mark.parametrize("kind", ["grey", "a-canvas"])
def test_the_mask_of_an_edit_is_white_where_nothing_is_transparent(kind):
    found = intake().mask(drawn(*MASKS[kind]), (40, 60), "mask")
    assert isinstance(found, Mask)
    assert found.pixels[5:15, 10:20].all() and found.pixels.sum() == 100


def test_an_empty_mask_has_the_number_of_its_region():
    with pytest.raises(ApiError, match="region 3: expected a mask with pixels inside"):
        intake().region(RegionBody(mask=url(drawn("L", 0, 0))), (40, 60), 3, "r")


def test_a_region_is_checked_on_its_picture():
    assert intake().region(RegionBody(box=[0, 0, 60, 40]), (40, 60), 0, "r") == Box(0, 0, 60, 40)
    with pytest.raises(ApiError, match="region 3: expected a box inside the 60×40 picture"):
        intake().region(RegionBody(box=[0, 0, 61, 40]), (40, 60), 3, "r")


def test_padding_and_case_of_the_head_do_not_matter():
    assert decoded("DATA:image/PNG;base64," + base64.b64encode(b"ab").decode(), "x") == b"ab"
