"""Files and odd pictures → upright RGB images, or a clear refusal before anything is decoded."""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(ValueError):
    """A picture that cannot or may not be opened; the message never repeats what a decoder said."""


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """What may be opened; everything is checked on the header, before decoding.

    Attributes:
        formats: Names of Pillow's formats.
        max_pixels: Most pixels of a picture; the default is the size Pillow itself starts to warn at.
        max_side: Longest side in pixels.
        max_aspect: Largest quotient of the two sides.
    """

    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "BMP")
    max_pixels: int = 89_478_485
    max_side: int = 32_768
    max_aspect: float = 200.0


DEFAULT_LIMITS = PictureLimits()


def open_picture(
    source: str | PathLike[str] | bytes | BinaryIO | Image.Image, limits: PictureLimits = DEFAULT_LIMITS
) -> Image.Image:
    """Return a picture as upright RGB.

    The camera's orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits, floats are read
    as [0, 1] or [0, 255]. Colour profiles are ignored.

    Args:
        source: Path, encoded bytes, binary file object, or an image in any mode.
        limits: What may be opened.

    Raises:
        PictureError: If the file is missing, no picture of an allowed format, animated, broken or too large.
    """
    if isinstance(source, Image.Image):
        _check_header(source, limits)
        return _upright_rgb(source)
    with _opened(source, limits) as image:
        _check_header(image, limits)
        return _upright_rgb(image)


def picture_size(content: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> tuple[int, int]:
    """Return (width, height) of an encoded picture as its header says it; nothing is decoded.

    Raises:
        PictureError: As `open_picture`, as far as the header tells.
    """
    with _opened(content, limits) as image:
        _check_header(image, limits)
        return image.size


def picture_files(folder: Path, limits: PictureLimits = DEFAULT_LIMITS) -> list[Path]:
    """Return the files of a folder whose suffix is that of an allowed format, sorted by name.

    Hidden files and folders inside it are left out.

    Raises:
        ValueError: If there are none.
    """
    suffixes = {suffix for suffix, format_ in Image.registered_extensions().items() if format_ in limits.formats}
    shown = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    files = sorted(file for file in shown if file.suffix.lower() in suffixes)
    if not files:
        raise ValueError(f"expected pictures ({', '.join(sorted(suffixes))}) in {folder}, got none")
    return files


def _opened(source: str | PathLike[str] | bytes | BinaryIO, limits: PictureLimits) -> Image.Image:
    if isinstance(source, str | PathLike):
        if "\0" in str(source) or not Path(source).is_file():
            raise PictureError(f"expected a picture file, got no file at {str(source)!r}")
        stream: str | PathLike[str] | BinaryIO = source
    else:
        stream = BytesIO(source) if isinstance(source, bytes) else source
    try:
        return Image.open(stream, formats=limits.formats)
    except UnidentifiedImageError:
        refusal = f"expected a picture in one of the formats {', '.join(limits.formats)}, got something else"
    except Image.DecompressionBombError:
        refusal = f"expected at most {limits.max_pixels} pixels, got more than Pillow opens"
    except _DECODER_ERRORS:
        refusal = "expected a whole picture, got one with a broken header"
    raise PictureError(refusal)


def _check_header(image: Image.Image, limits: PictureLimits) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise PictureError(f"expected a picture with pixels, got {width}×{height}")
    if width * height > limits.max_pixels:
        raise PictureError(f"expected at most {limits.max_pixels} pixels, got {width}×{height}")
    if max(width, height) > limits.max_side:
        raise PictureError(f"expected sides of at most {limits.max_side} pixels, got {width}×{height}")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise PictureError(f"expected sides that differ at most {limits.max_aspect:g}-fold, got {width}×{height}")
    try:
        # A phone's MPO holds previews after the picture itself: they are no animation.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except _DECODER_ERRORS:
        frames = 0
    if frames != 1:
        got = f"{frames} frames" if frames else "a broken list of frames"
        raise PictureError(f"expected a still picture, got {got}")


def _upright_rgb(image: Image.Image) -> Image.Image:
    try:
        image.load()
        rgb = _rgb(image)
    except PictureError:
        raise
    except _DECODER_ERRORS:
        rgb = None
    if rgb is None:
        raise PictureError("expected a whole picture, got one that breaks off or cannot be decoded")
    turn = _UPRIGHT.get(_orientation(image))
    if turn is not None:
        return rgb.transpose(turn)
    return rgb.copy() if rgb is image else rgb


def _orientation(image: Image.Image) -> int:
    """Return the camera's orientation; notes that cannot be read say nothing about the pixels and count as upright."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODER_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _wide_grey(image)
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _wide_grey(image: Image.Image) -> Image.Image:
    """Scale one channel of more than 8 bits; Pillow's own conversion would clip it."""
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        scale = 255.0 if high <= 1 else 1.0
        if not (low >= 0 and high <= 255):
            raise PictureError(f"expected float pixels in [0, 1] or [0, 255], got {low:g} to {high:g}")
    else:
        scale = 255.0 / 65535.0
        if low < 0 or high > 65535:
            raise PictureError(f"expected grey of at most 16 bits, got values {low:g} to {high:g}")
    return Image.fromarray((values * scale + 0.5).astype(np.uint8)).convert("RGB")
