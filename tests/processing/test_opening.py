import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionllm.processing.opening import PictureError, PictureLimits, open_picture, picture_files, picture_size

RED = (200, 30, 10)


def encoded(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def plain(width: int = 3, height: int = 2) -> Image.Image:
    return Image.new("RGB", (width, height), RED)


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds hardly any pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("source", ["path", "text", "bytes", "file", "image"])
def test_every_kind_of_source_opens(source: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(plain()))
    sources = {"path": path, "text": str(path), "bytes": path.read_bytes(), "image": plain(), "file": path.open("rb")}
    opened = open_picture(sources[source])
    assert (opened.mode, opened.size, opened.getpixel((0, 0))) == ("RGB", (3, 2), RED)


@pytest.mark.parametrize("name", ["PNG", "BMP", "WEBP", "JPEG"])
def test_every_allowed_format_opens(name: str) -> None:
    assert open_picture(encoded(plain(), name)).size == (3, 2)


@pytest.mark.parametrize("name", ["GIF", "TIFF", "PPM", "JPEG2000", "ICO"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(
        PictureError, match="expected a picture in one of the formats JPEG, PNG, WEBP, BMP, got something"
    ):
        open_picture(encoded(plain(16, 16), name))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "got something else", id="nothing"),
        pytest.param(b"hello", "got something else", id="text"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "got something else", id="svg"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "got something else", id="eps"),
        pytest.param(encoded(plain(640, 640), "JPEG")[:-500], "got one that breaks off", id="half-a-jpeg"),
        pytest.param(encoded(plain(64, 64), "JPEG")[:400], "got one with a broken header", id="start-of-a-jpeg"),
        pytest.param(encoded(plain(64, 64))[:60], "got one", id="half-a-png"),
        pytest.param(encoded(plain(64, 64), "WEBP")[:40], "got", id="half-a-webp"),
        pytest.param(png_header(30_000, 30_000), "expected at most 89478485 pixels, got", id="bomb"),
        pytest.param(png_header(10_000, 10_000), "expected at most 89478485 pixels, got 10000×10000", id="large"),
        pytest.param(png_header(65_535, 1), "expected sides of at most 32768 pixels, got 65535×1", id="line"),
        pytest.param(png_header(1, 300), "expected sides that differ at most 200-fold, got 1×300", id="narrow"),
        pytest.param(png_header(0, 5), "expected a", id="no-width"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_content_is_refused_in_one_line(content: bytes, message: str) -> None:
    with pytest.raises(PictureError, match=message) as refusal:
        open_picture(content)
    assert "\n" not in str(refusal.value)
    assert "0x" not in str(refusal.value), "a decoder's own words may hold addresses"
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_every_cut_of_every_format_is_refused_or_opens() -> None:
    for name in ("PNG", "BMP", "WEBP", "JPEG"):
        whole = encoded(Image.effect_noise((24, 16), 90).convert("RGB"), name)
        for end in range(0, len(whole), max(1, len(whole) // 40)):
            try:
                assert open_picture(whole[:end]).mode == "RGB"
            except PictureError:
                continue


def test_flipped_bytes_are_refused_or_open() -> None:
    rng = np.random.default_rng(0)
    for name in ("PNG", "BMP", "WEBP", "JPEG"):
        whole = np.frombuffer(encoded(Image.effect_noise((24, 16), 90).convert("RGB"), name), dtype=np.uint8)
        for _ in range(60):
            broken = whole.copy()
            broken[rng.integers(0, len(whole), 4)] = rng.integers(0, 256, 4)
            try:
                assert open_picture(broken.tobytes()).mode == "RGB"
            except PictureError:
                continue


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_animations_are_refused(name: str) -> None:
    frames = [plain(8, 8), Image.new("RGB", (8, 8), "blue")]
    content = encoded(frames[0], name, save_all=True, append_images=frames[1:])
    with pytest.raises(PictureError, match="expected a still picture, got 2 frames"):
        open_picture(content)


def test_a_phones_picture_with_previews_opens() -> None:
    content = encoded(plain(16, 8), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 4), "blue")])
    assert open_picture(content).size == (16, 8)


@pytest.mark.parametrize("path", ["nowhere.png", ".", "a\0b"])
def test_a_missing_file_is_named(path: str) -> None:
    with pytest.raises(PictureError, match="expected a picture file, got no file at"):
        open_picture(path)


def test_a_file_that_may_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(plain()))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("at address 0x7f")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PictureError, match="expected a whole picture, got one with a broken header"):
        open_picture(path)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(PictureError, match="expected a picture with pixels, got 0×5"):
        open_picture(Image.new("RGB", (0, 5)))


def test_a_broken_list_of_frames_is_refused() -> None:
    class Broken(Image.Image):
        @property
        def n_frames(self) -> int:
            raise EOFError("at address 0x7f")

    image = Broken()
    image.im, image._size, image._mode = plain().im, (3, 2), "RGB"
    with pytest.raises(PictureError, match="expected a still picture, got a broken list of frames"):
        open_picture(image)


def test_limits_can_be_set() -> None:
    with pytest.raises(PictureError, match="expected at most 5 pixels, got 3×2"):
        open_picture(plain(), PictureLimits(max_pixels=5))
    with pytest.raises(PictureError, match="one of the formats PNG, got"):
        open_picture(encoded(plain(), "BMP"), PictureLimits(formats=("PNG",)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_cameras_orientation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (16, 8), "white")
    upright.paste((0, 0, 0), (0, 0, 8, 4))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_picture(encoded(stored, "PNG", exif=exif))
    assert np.array_equal(np.asarray(opened), np.asarray(upright))


def test_a_silly_orientation_counts_as_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert open_picture(encoded(plain(), "PNG", exif=exif)).size == (3, 2)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_camera_notes_that_cannot_be_read_count_as_upright() -> None:
    for notes in (b"garbage", b"II*\0", b"XX*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\0\x01\x01"):
        content = encoded(plain(8, 4), "JPEG", exif=b"Exif\0\0" + notes)
        assert open_picture(content).size == (8, 4)


def test_camera_notes_that_break_the_reader_count_as_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Image.Image) -> None:
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert open_picture(plain(8, 4)).size == (8, 4)


def test_transparency_is_laid_on_white() -> None:
    half = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    half.putpixel((1, 0), (0, 0, 0, 255))
    for image in (half, half.convert("LA"), half.convert("RGBa"), half.convert("PA")):
        assert np.asarray(open_picture(image))[0].tolist() == [[255, 255, 255], [0, 0, 0]]


def test_a_transparent_palette_is_laid_on_white() -> None:
    image = Image.new("P", (1, 1), 0)
    image.putpalette([10, 20, 30])
    assert open_picture(encoded(image)).getpixel((0, 0)) == (10, 20, 30)
    assert open_picture(encoded(image, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.new("1", (1, 1), 1), 255, id="one-bit"),
        pytest.param(Image.new("L", (1, 1), 77), 77, id="grey"),
        pytest.param(Image.fromarray(np.full((1, 1), 32896, np.uint16)), 128, id="sixteen-bit"),
        pytest.param(Image.fromarray(np.full((1, 1), 65535, np.int32)), 255, id="wide-integer"),
        pytest.param(Image.fromarray(np.full((1, 1), 0.5, np.float32)), 128, id="float-of-one"),
        pytest.param(Image.fromarray(np.full((1, 1), 99.0, np.float32)), 99, id="float-of-255"),
    ],
)
def test_grey_of_every_depth_becomes_rgb(image: Image.Image, expected: int) -> None:
    assert open_picture(image).getpixel((0, 0)) == (expected, expected, expected)


def test_sixteen_bit_files_are_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert np.asarray(open_picture(encoded(image)))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(
            np.array([[-1, 2]], np.float32),
            r"expected float pixels in \[0, 1\] or \[0, 255\], got -1 to 2",
            id="negative",
        ),
        pytest.param(np.array([[0, 300]], np.float32), "got 0 to 300", id="too-bright"),
        pytest.param(np.array([[0, np.nan]], np.float32), "got nan to nan", id="nan"),
        pytest.param(
            np.array([[-5, 0]], np.int32), "expected grey of at most 16 bits, got values -5 to 0", id="negative-integer"
        ),
        pytest.param(np.array([[0, 70000]], np.int32), "got values 0 to 70000", id="wide"),
    ],
)
def test_pixels_of_unknown_scale_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        open_picture(Image.fromarray(values))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV"])
def test_other_colour_spaces_become_rgb(mode: str) -> None:
    image = (
        Image.new("RGB", (2, 2), "white").convert(mode) if mode != "LAB" else Image.new("LAB", (2, 2), (255, 128, 128))
    )
    assert min(np.asarray(open_picture(image)).ravel()) >= 250


def test_a_cmyk_file_opens() -> None:
    pixel = open_picture(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")).getpixel((0, 0))
    assert pixel == (255, 255, 255)


def test_one_pixel_is_a_picture() -> None:
    assert open_picture(encoded(plain(1, 1))).size == (1, 1)


def test_the_callers_image_is_not_shared() -> None:
    mine = plain()
    opened = open_picture(mine)
    opened.putpixel((0, 0), (0, 0, 0))
    assert mine.getpixel((0, 0)) == RED


def test_a_bomb_is_refused_without_memory(tmp_path: Path, peak_growth: Callable[[Callable[[], None]], int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(16_000, 16_000))

    def open_bomb() -> None:
        with pytest.raises(PictureError, match="expected at most"):
            open_picture(path)

    assert peak_growth(open_bomb) < 50 * 2**20


def test_the_size_is_read_from_the_header_alone():
    whole = encoded(plain(30, 20))
    assert picture_size(whole) == (30, 20)
    assert picture_size(whole[:-20]) == (30, 20), "nothing is decoded"
    with pytest.raises(PictureError, match="expected at most 599 pixels"):
        picture_size(whole, PictureLimits(max_pixels=599))
    with pytest.raises(PictureError, match="expected a picture in one of the formats"):
        picture_size(b"")


def test_the_pictures_of_a_folder_are_told_by_suffix_and_sorted(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.webp", "d.bmp", "e.gif", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "f.png").mkdir()
    assert [file.name for file in picture_files(tmp_path)] == ["a.jpeg", "b.PNG", "c.webp", "d.bmp"]
    only = PictureLimits(formats=("PNG",))
    assert [file.name for file in picture_files(tmp_path, only)] == ["b.PNG"]


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected pictures \(\.apng, \.bmp, .* in .*, got none"):
        picture_files(tmp_path)
