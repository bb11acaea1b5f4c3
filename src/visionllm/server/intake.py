"""Pictures of requests: data URLs to upright RGB. Other URLs are refused as text; nothing is ever fetched."""

import base64
import binascii
import re
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from visionllm.processing import PictureError, PictureLimits, open_picture, picture_size
from visionllm.processing.regions import region_mask
from visionllm.server.budget import Lease
from visionllm.server.errors import ApiError
from visionllm.server.schema.parts import RegionBody, RunLengths
from visionllm.types import Box, Mask, Point, Polygon, Region, Scribble

NO_FETCHING = "expected a data URL such as data:image/png;base64,…; this server fetches no URLs and reads no paths"
_DATA = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)


class Intake:
    """Opens the pictures of one request.

    Args:
        limits: What may be opened.
        max_images: Most pictures of a request, masks left out.
        pixels: What the request holds of the memory for pictures.
    """

    def __init__(self, limits: PictureLimits, max_images: int, pixels: Lease) -> None:
        self._limits, self._most, self._pixels = limits, max_images, pixels
        self._count = self._seen = 0

    def picture(self, url: str, param: str) -> Image.Image:
        """Open a picture that is given as a data URL.

        Raises:
            ApiError: If it is another URL, no picture, too large, or one too many.
        """
        return self.file(decoded(url, param), param)

    def file(self, content: bytes, param: str) -> Image.Image:
        """Open a picture that is given as the content of its file.

        Raises:
            ApiError: As `picture`.
        """
        self._count += 1
        if self._count > self._most:
            raise ApiError(
                400, f"expected at most {self._most} pictures, got more", code="too_many_images", param=param
            )
        return self._opened(content, param)

    def mask(self, content: bytes, size_hw: tuple[int, int], param: str) -> Region:
        """Read the mask of an edit: what is transparent is meant, as OpenAI's API has it, else what is white.

        Raises:
            ApiError: If it is no picture, of another size or empty.
        """
        white, clear = self._layers(content, size_hw, param)
        return self._checked(Mask(clear if clear.any() else white), size_hw, 0, param)

    def region(self, body: RegionBody, size_hw: tuple[int, int], index: int, param: str) -> Region:
        """Return a region, on the picture that it belongs to.

        Raises:
            ApiError: If it is not on the picture, empty or has too few points, with its number.
        """
        return self._checked(self._region(body, size_hw, param), size_hw, index, param)

    def _layers(self, content: bytes, size_hw: tuple[int, int], param: str) -> tuple[Any, Any]:
        """Return where a picture of a mask is white, and where it is wholly transparent: bool[H, W] each.

        Raises:
            ApiError: If it is no picture, or of another size.
        """
        found = self._opened(content, param)
        if (found.height, found.width) != size_hw:
            message = f"expected a mask of {size_hw[1]}×{size_hw[0]} pixels, got {found.width}×{found.height}"
            raise ApiError(400, message, code="invalid_mask", param=param)
        clear = _transparency(content, self._limits)
        return (np.asarray(found.convert("L")) >= 128) & ~clear, clear

    def _checked(self, region: Region, size_hw: tuple[int, int], index: int, param: str) -> Region:
        self._hold(size_hw[0] * size_hw[1] // 3, param)  # a mask has one byte a pixel, a picture three
        try:
            region_mask(region, size_hw, index=index)
        except ValueError as error:
            raise ApiError(400, str(error), code="invalid_region", param=param) from None
        return region

    def _region(self, body: RegionBody, size_hw: tuple[int, int], param: str) -> Region:
        if body.box is not None:
            return Box(*body.box)
        if body.point is not None:
            return Point(*body.point)
        if body.scribble is not None:
            return Scribble(_pairs(body.scribble), **({} if body.width is None else {"width": body.width}))
        if body.polygon is not None:
            return Polygon(_pairs(body.polygon))
        if isinstance(body.mask, str):
            white, _ = self._layers(decoded(body.mask, f"{param}.mask"), size_hw, f"{param}.mask")
            return Mask(white)
        if body.mask is None:
            raise ValueError("expected a region with one form")
        return Mask(mask_of(body.mask, size_hw, f"{param}.mask"))

    def _hold(self, pixels: int, param: str) -> None:
        """Account for memory before it is needed."""
        most = self._limits.max_pixels
        self._seen += pixels
        if self._seen > most:
            message = f"expected at most {most} pixels in all pictures of a request, got more"
            raise ApiError(400, message, code="too_many_pixels", param=param)
        self._pixels.take(pixels)

    def _opened(self, content: bytes, param: str) -> Image.Image:
        try:
            width, height = picture_size(content, self._limits)
            self._hold(width * height, param)
            return open_picture(content, self._limits)
        except PictureError as error:
            raise ApiError(400, str(error), code="invalid_image", param=param) from None


def decoded(url: str, param: str) -> bytes:
    """Return what a data URL holds.

    Raises:
        ApiError: If it is any other URL, a path, or no base 64. The message never repeats it.
    """
    head = _DATA.match(url)
    if head is None:
        raise ApiError(400, NO_FETCHING, code="invalid_image_url", param=param)
    try:
        return base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        refusal = ApiError(400, "expected base 64 in a data URL, got something else", code="invalid_image", param=param)
    raise refusal


def mask_of(runs: RunLengths, size_hw: tuple[int, int], param: str) -> Any:
    """Return bool[H, W] of run lengths; nothing is allocated before their sum is known to fit the picture.

    Raises:
        ApiError: If they are of another size.
    """
    height, width = size_hw
    if tuple(runs.size) != size_hw or sum(runs.counts) != height * width:
        message = f"expected run lengths of a mask of size [{height}, {width}], got others"
        raise ApiError(400, message, code="invalid_mask", param=param)
    values = np.arange(len(runs.counts)) % 2 == 1
    return np.repeat(values, runs.counts).reshape(width, height).T


def _transparency(content: bytes, limits: PictureLimits) -> Any:
    """Return bool[H, W], True where a picture is wholly transparent."""
    with Image.open(BytesIO(content), formats=limits.formats) as image:
        return np.asarray(image.convert("RGBA"))[..., 3] == 0


def _pairs(points: list[list[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in points)
