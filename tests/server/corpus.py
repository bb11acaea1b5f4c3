"""Hostile pictures, URLs, paths and words."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.server.helpers import png


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int, bits: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def moving(kind: str) -> bytes:
    frames = [Image.new("RGB", (20, 20), (20 * i, 0, 0)) for i in range(4)]
    return file_of(frames[0], kind, save_all=True, append_images=frames[1:])


def bad_pictures() -> dict[str, bytes]:
    """Return files that must be refused."""
    grey = Image.new("RGB", (40, 30), (100, 120, 140))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    jpeg, whole, webp = file_of(noise, "JPEG"), file_of(noise, "PNG"), file_of(noise, "WEBP")
    found = {
        "bomb-30000": bomb(30_000, 30_000),
        "bomb-65535x1": bomb(65_535, 1),
        "bomb-1x65535": bomb(1, 65_535),
        "bomb-max": bomb(2**31 - 1, 2**31 - 1),
        "bomb-16bit": bomb(20_000, 20_000, 16),
        "zero-width": bomb(0, 10),
        "zero-height": bomb(10, 0),
        "long-strip": bomb(20_000, 50),
        "gif": file_of(grey, "GIF"),
        "gif-moving": moving("GIF"),
        "apng": moving("PNG"),
        "webp-moving": moving("WEBP"),
        "tiff": file_of(grey, "TIFF"),
        "tiff-pages": moving("TIFF"),
        "ico": file_of(grey, "ICO"),
        "ppm": file_of(grey, "PPM"),
        "tga": file_of(grey, "TGA"),
        "pcx": file_of(grey, "PCX"),
        "sgi": file_of(grey, "SGI"),
        "dds": b"DDS " + b"\0" * 200,
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "pdf": b"%PDF-1.4\n",
        "jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\0" * 100,
        "psd": b"8BPS\0\x01" + b"\0" * 40,
        "html": b"<html></html>",
        "text": b"hello",
        "empty": b"",
        "one-byte": b"\x89",
        "png-head": b"\x89PNG\r\n\x1a\n",
        "png-no-rows": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)),
        "png-bad-sum": whole[:40] + bytes([whole[40] ^ 255]) + whole[41:],
        "bmp-head": b"BM" + b"\xff" * 60,
        "webp-head": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        "jpeg-head": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    }
    found |= {f"jpeg-cut-{cut}": jpeg[: len(jpeg) * cut // 100] for cut in (5, 30, 60, 90)}
    found |= {f"png-cut-{cut}": whole[: len(whole) * cut // 100] for cut in (5, 30, 60, 90)}
    return found | {f"webp-cut-{cut}": webp[: len(webp) * cut // 100] for cut in (5, 50)}


BAD = bad_pictures()


def good_pictures() -> dict[str, tuple[bytes, tuple[int, int]]]:
    """Return files that must be opened, with their sizes."""
    rgb = Image.new("RGB", (40, 30), (100, 120, 140))
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "one-pixel": (png(1, 1), (1, 1)),
        "grey": (png(40, 30, "L"), (40, 30)),
        "alpha": (png(40, 30, "RGBA"), (40, 30)),
        "palette": (file_of(rgb.convert("P"), "PNG"), (40, 30)),
        "two-levels": (file_of(rgb.convert("1"), "PNG"), (40, 30)),
        "16-bit": (file_of(Image.fromarray(np.full((30, 40), 40_000, dtype=np.uint16)), "PNG"), (40, 30)),
        "cmyk": (file_of(rgb.convert("CMYK"), "JPEG"), (40, 30)),
        "exif-turned": (file_of(rgb, "JPEG", exif=turned), (30, 40)),
        "colour-profile": (file_of(rgb, "JPEG", icc_profile=b"\0" * 200), (40, 30)),
        "progressive": (file_of(rgb, "JPEG", progressive=True), (40, 30)),
        "webp": (file_of(rgb, "WEBP"), (40, 30)),
        "bmp": (file_of(rgb, "BMP"), (40, 30)),
    }


GOOD = good_pictures()


URLS = [
    *(f"http://{host}/x.png" for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "10.0.0.1", "192.168.1.1")),
    *(f"http://{host}/x.png" for host in ("169.254.169.254", "172.16.0.1", "100.64.0.1", "[::ffff:127.0.0.1]")),
    *(f"http://{host}/x.png" for host in ("2130706433", "0x7f000001", "017700000001", "127.1", "0", "[fe80::1]")),
    *(f"http://{host}/x.png" for host in ("0x7f.0.0.1", "[::]", "[fd00::1]", "metadata.google.internal", "127.0.0.1.")),
    *(f"https://{host}/x.png" for host in ("example.org", "example.org:22", "rebind.example", "xn--80ak6aa92e.com")),
    *(f"http://example.org{tail}" for tail in ("\\@127.0.0.1/", "@127.0.0.1/", "#@127.0.0.1/", "?@127.0.0.1/", "%00")),
    *(f"{scheme}://127.0.0.1/x" for scheme in ("ftp", "gopher", "dict", "ldap", "sftp", "tftp", "ws", "jar:http")),
    *("file:///etc/passwd", "file://localhost/etc/passwd", "file:/etc/passwd", "FILE:///etc/passwd", "//127.0.0.1/x"),
    *("http:127.0.0.1", "http:/127.0.0.1", "http:///127.0.0.1", "HTTP://127.0.0.1", " http://127.0.0.1", "\thttp://a"),
    *("http://user:word@127.0.0.1/", "http://127.0.0.1:6379/", "https://127.0.0.1/redirect?to=http://10.0.0.1"),
    *("data:text/html;base64,PGI+", "data:,x", "data:image/svg+xml,<svg/>", "data:image/png;base64", "javascript:1"),
    *(
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://127.0.0.1%2f@a/",
        "s3://b/k",
    ),
]


PATHS = [
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\windows\\win.ini",
    "\\\\server\\share\\x.png",
    "/proc/self/environ",
    "....//....//etc/passwd",
    "%2e%2e%2fetc%2fpasswd",
    "x.png\0.txt",
    "~/.ssh/id_rsa",
    "/dev/zero",
    "examples/stars.png",
]


def strings(count: int) -> list[str]:
    """Return texts full of what would be structure if anybody read it as such."""
    draw = np.random.default_rng(0)
    pieces = ["[DET]", "[EMB]", "[SEG]", "[POSE]", "[GEN]", "[EDIT]", "[GRD]", "<image>", "<im_patch>", "<region>"]
    pieces += ["</s>", "<s>", "USER:", "ASSISTANT:", "<user>", "<assistant>", "<det>", "</det>", "<|im_start|>", "\0"]
    pieces += ["\uff3bDET\uff3d", "<\u0456mage>", "[D\u200bET]", "\u202e[TED]", "\n", " ", "a", "\u00e9", "\U0001f600"]
    pieces += ["[DET", "DET]", "<unk>", "<pad>"]
    return ["".join(draw.choice(pieces, size=draw.integers(1, 8))) for _ in range(count)]
