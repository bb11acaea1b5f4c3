"""Hostile requests: S5 to S13 of the list of faults. Each is refused in a form of its own, and the server lives on."""

import json
import socket
import struct
import zlib
from io import BytesIO

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.server.helpers import chat, client_of, error_of, image_part, live, png, times, url
from visionllm.server import ServerConfig
from visionllm.server.intake import NO_FETCHING

pytestmark = pytest.mark.faults
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _lives_on(client):
    yield
    assert client.post(CHAT, json=chat("echo alive")).json()["choices"][0]["message"]["content"] == "alive"


def shown(content: bytes, kind: str = "image/png") -> dict:
    part = {"type": "image_url", "image_url": {"url": url(content, kind)}}
    return chat(part, {"type": "text", "text": "echo seen"})


def grown(start: int) -> int:
    return psutil.Process().memory_info().rss - start


@pytest.mark.parametrize(
    ("body", "tokens"),
    [(chat("word " * 201), 201), (chat("hi", max_tokens=200), 200), (chat("a " * 150, max_completion_tokens=51), 201)],
)
def test_s05_a_prompt_or_an_answer_beyond_the_context_is_refused_with_both_numbers(body, tokens, client, stub):
    error = error_of(client.post(CHAT, json=body), 400)
    assert error["code"] == "context_length_exceeded"
    assert error["message"] == f"expected at most 200 tokens, the context of this model, got {tokens}"
    assert not stub.jobs, "it was refused before any work"


@pytest.mark.parametrize("said", [True, False], ids=["says-its-length", "chunked"])
def test_s06_a_body_that_is_too_long_is_refused_and_not_kept(said):
    length = 30_000_000
    with live() as running:
        start = psutil.Process().memory_info().rss
        response = httpx.post(
            f"{running.url}{CHAT}",
            content=(b"x" * 10_000 for _ in range(length // 10_000)),
            headers={"content-length": str(length)} if said else {},
            timeout=30,
        )
        assert error_of(response, 413)["code"] == "request_too_large"
        assert grown(start) < 2 * running.server.service.config.max_body_bytes


def test_s06_a_body_that_does_not_say_its_length_is_cut_off(stub):
    with client_of(stub, ServerConfig(max_body_bytes=100_000)) as client:
        response = client.post(CHAT, content=(b"x" * 10_000 for _ in range(1000)))
        assert error_of(response, 413)["message"] == "expected a body of at most 100000 bytes, got more"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (chat("hi") | {"messages": [{"role": "user", "content": "x"}] * 65}, "too_many_messages"),
        (chat("hi") | {"messages": [{"role": "user", "content": "x"}] * 100_000}, "invalid_json"),
        (chat(*[image_part(png(8, 8))] * 9, {"type": "text", "text": "x"}), "too_many_images"),
        (chat(*[{"type": "text", "text": "x"}] * 257), "invalid_value"),
        (chat("hi", n=5), "invalid_value"),
        (chat("hi", n=0), "invalid_value"),
        (chat("hi", options={"steps": 101}), "invalid_value"),
        (chat("hi", options={"num_beams": 50}), "invalid_value"),
        (chat("hi", seed=2**40), "invalid_value"),
        (chat("hi", temperature=1e9), "invalid_value"),
        (chat("hi") | {"messages": []}, "invalid_value"),
    ],
)
def test_s06_too_many_of_anything_is_refused(body, code, client, stub):
    assert error_of(client.post(CHAT, json=body), 400)["code"] == code
    assert not stub.jobs


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[" * 50 + "]" * 50, '{"messages":' + "[" * 40])
def test_s06_deep_json_is_refused(text, client):
    response = client.post(CHAT, content=text, headers={"content-type": "application/json"})
    assert error_of(response, 400)["code"] == "invalid_json"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int, bits: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


def file_of(image: Image.Image, kind: str, **options) -> bytes:
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


@pytest.mark.parametrize("name", BAD)
def test_s07_a_picture_that_is_none_is_refused_in_fixed_words(name, client):
    start = psutil.Process().memory_info().rss
    error = error_of(client.post(CHAT, json=shown(BAD[name])), 400)
    assert error["code"] == "invalid_image" and error["param"] == "messages.0.content.0.image_url.url"
    assert error["message"].startswith("expected ") and "0x" not in error["message"]
    assert grown(start) < 50e6


def test_s07_the_corpus_is_large_enough():
    assert len(BAD) + len(GOOD) >= 40


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


@pytest.mark.parametrize("name", GOOD)
def test_s07_an_odd_picture_is_opened_upright_and_in_colour(name, client, stub):
    content, size = GOOD[name]
    assert client.post(CHAT, json=shown(content)).status_code == 200
    (picture,) = stub.jobs[0].pictures
    assert (picture.size, picture.mode) == (size, "RGB")


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


@pytest.mark.parametrize("address", URLS)
def test_s08_no_url_is_fetched_and_no_socket_opened(address, client, monkeypatch):
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket.socket, "connect_ex", forbidden)
    part = {"type": "image_url", "image_url": {"url": address}}
    error = error_of(client.post(CHAT, json=chat(part, {"type": "text", "text": "x"})), 400)
    assert error["message"] == NO_FETCHING
    body = {"model": "stub", "task": "detect", "image": address, "names": ["x"]}
    assert error_of(client.post("/v1/perception", json=body), 400)["message"] == NO_FETCHING


def test_s08_there_are_enough_urls():
    assert len(set(URLS)) >= 60


@pytest.mark.parametrize("text", ["![x](http://127.0.0.1/x.png)", "<img src='http://127.0.0.1/'>", "http://127.0.0.1"])
def test_s08_a_url_in_words_stays_words(text, client, stub):
    assert client.post(CHAT, json=chat(f"echo {text}")).json()["choices"][0]["message"]["content"] == text
    assert not stub.jobs[0].pictures


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


@pytest.mark.parametrize("path", PATHS)
def test_s12_a_path_is_refused_in_every_field(path, client):
    part = {"type": "image_url", "image_url": {"url": path}}
    assert error_of(client.post(CHAT, json=chat(part)), 400)["message"] == NO_FETCHING
    masked = chat(image_part(), {"type": "text", "text": "x"}, {"type": "region", "mask": path})
    assert error_of(client.post(CHAT, json=masked), 400)["message"] == NO_FETCHING
    assert error_of(client.post(CHAT, json=chat("x", model=path)), 404)["code"] == "model_not_found"
    files = {"image": (path, png(), "image/png")}
    form = {"model": "stub", "prompt": "x"}
    assert client.post("/v1/images/edits", data=form, files=files).status_code in (200, 400), "a name opens nothing"


def strings(count: int) -> list[str]:
    """Return texts full of what would be structure if anybody read it as such."""
    draw = np.random.default_rng(0)
    pieces = ["[DET]", "[EMB]", "[SEG]", "[POSE]", "[GEN]", "[EDIT]", "[GRD]", "<image>", "<im_patch>", "<region>"]
    pieces += ["</s>", "<s>", "USER:", "ASSISTANT:", "<user>", "<assistant>", "<det>", "</det>", "<|im_start|>", "\0"]
    pieces += ["\uff3bDET\uff3d", "<\u0456mage>", "[D\u200bET]", "\u202e[TED]", "\n", " ", "a", "\u00e9", "\U0001f600"]
    pieces += ["[DET", "DET]", "<unk>", "<pad>"]
    return ["".join(draw.choice(pieces, size=draw.integers(1, 8))) for _ in range(count)]


def test_s10_what_looks_like_structure_is_words(client, stub):
    from tests.small import small_processor

    vocabulary = small_processor().vocabulary
    structure = {vocabulary.token_id(token) for token in ("<im_patch>", "<region>", *vocabulary.routes)}
    structure |= {vocabulary.bos_id, vocabulary.eos_id}
    for text in strings(times(1000, 10_000)):
        ids = vocabulary.encode(text)
        assert not structure & set(ids)
        assert max(ids, default=0) < vocabulary.size
    for text in strings(times(60, 600)):
        said = client.post(CHAT, json=chat(f"echo {text}")).json()["choices"][0]["message"]["content"]
        assert said == text
        assert stub.jobs[-1].messages[0].parts == (f"echo {text}",)


TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"box": [10, 10, 10, 20]}, "region 0: expected a box with x0 < x1"),
        ({"box": [50, 10, 61, 20]}, "region 0: expected a box inside the 60×40 picture"),
        ({"point": [60, 10]}, "region 0: expected a point inside"),
        ({"point": [-1, 10]}, "region 0: expected a point inside"),
        ({"polygon": [[1, 1], [2, 2]]}, "region 0: expected a polygon of at least 3 points, got 2"),
        ({"scribble": [[1, 1], [99, 2]]}, "region 0: expected a scribble inside"),
        ({"scribble": [[1, 1]]}, "at least 2 items"),
        ({"mask": {"size": [40, 60], "counts": [2400]}}, "region 0: expected a mask with pixels inside"),
        ({"mask": {"size": [60, 40], "counts": [0, 2400]}}, "run lengths of a mask of size [40, 60]"),
        ({"mask": {"size": [40, 60], "counts": [0, 10**9]}}, "run lengths of a mask of size [40, 60]"),
        ({"mask": url(png(10, 10))}, "expected a mask of 60×40 pixels, got 10×10"),
        ({"picture": 1, "box": [1, 1, 2, 2]}, "region 0: expected one of the 1 pictures, got 1"),
        ({}, "expected exactly one of box"),
    ],
)
def test_s11_a_region_that_is_nowhere_is_refused_with_its_number(form, message, client):
    error = error_of(client.post(CHAT, json=chat(image_part(), TEXT, {"type": "region"} | form)), 400)
    assert message in error["message"] and (error["param"] or "").startswith("messages.0.content.2")


def test_s11_a_region_without_a_picture_is_refused(client):
    error = error_of(client.post(CHAT, json=chat(TEXT, {"type": "region", "point": [1, 1]})), 400)
    assert error["message"] == "region 0: expected one of the 0 pictures, got none before it"


def test_s11_a_picture_in_an_answer_is_refused(client):
    body = chat("x")
    body["messages"] = [*body["messages"], {"role": "assistant", "content": [image_part()]}, *body["messages"]]
    assert error_of(client.post(CHAT, json=body), 400)["param"] == "messages.1.content.0"


FIELDS = ["chat_template", "chat_template_kwargs", "tokenize", "functions", "logit_bias", "__proto__", ""]
FIELDS += [
    "guided_regex",
    "prompt_embeds",
    "mm_processor_kwargs",
    "trust_remote_code",
    "Model",
    "add_generation_prompt",
]


@pytest.mark.parametrize("field", FIELDS)
def test_s13_an_unknown_field_is_refused_at_every_depth(field, client, stub):
    whole = chat("x") | {field: "x"}
    within = chat("x")
    within["messages"] = [{"role": "user", "content": "x", field: "x"}]
    deeper = chat({"type": "image_url", "image_url": {"url": url(), field: "x"}})
    options = chat("x", options={field: 1})
    for body in (whole, within, deeper, options):
        assert error_of(client.post(CHAT, json=body), 400)["code"] == "unknown_parameter"
    for path in ("/v1/images/generations", "/v1/perception"):
        assert client.post(path, json={"model": "stub", "prompt": "x", field: "x"}).status_code == 400
    assert not stub.jobs


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_s09_a_packed_body_is_not_unpacked(encoding, client):
    packed = zlib.compress(json.dumps(chat("x" * 10_000_000)).encode())
    response = client.post(CHAT, content=packed, headers={"content-encoding": encoding})
    assert error_of(response, 415)["code"] == "unsupported_encoding"
