"""New pictures and edits: bodies, forms as clients send them, masks as regions."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from tests.server.helpers import error_of, png
from visionllm.types import Mask


def opened(entry) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(entry["b64_json"])))


def test_pictures_come_as_png_files_with_seeds(client):
    body = {"model": "stub", "prompt": "two stars", "n": 2, "size": "16x24", "seed": 7}
    made = client.post("/v1/images/generations", json=body).json()
    assert [entry["seed"] for entry in made["data"]] == [7, 8]
    assert [opened(entry).size for entry in made["data"]] == [(16, 24)] * 2
    assert opened(made["data"][0]).getpixel((0, 0)) == (7, 7, 7)


def test_options_of_a_new_picture_arrive(client, stub):
    options = {"steps": 12, "guidance": 2, "scheduler": "DDIMScheduler"}
    body = {"model": "stub", "prompt": "two stars", "options": options}
    assert client.post("/v1/images/generations", json=body).status_code == 200
    job = stub.jobs[0]
    assert (job.words, job.image) == ("two stars", None)
    assert (job.options.steps, job.options.guidance, job.options.scheduler) == (12, 2, "DDIMScheduler")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 5}, "n"),
        ({"size": "5000x10"}, "size"),
        ({"size": "big"}, "size"),
        ({"response_format": "url"}, "response_format"),
        ({"options": {"steps": 101}}, "options.steps"),
        ({"style": "vivid"}, "style"),
        ({"prompt": ""}, "prompt"),
    ],
)
def test_what_a_new_picture_cannot_be_is_refused(more, param, client):
    body = {"model": "stub", "prompt": "two stars"} | more
    assert error_of(client.post("/v1/images/generations", json=body), 400)["param"] == param


def test_an_unknown_scheduler_is_refused_with_the_list(client):
    body = {"model": "stub", "prompt": "x", "options": {"scheduler": "os.system"}}
    assert "scheduler among" in error_of(client.post("/v1/images/generations", json=body), 400)["message"]


def form(**fields):
    return {"model": "stub", "prompt": "make it blue"} | fields


@pytest.mark.parametrize("name", ["image", "image[]"])
def test_an_edit_comes_as_a_form(name, client, stub):
    files = {name: ("a.png", png(60, 40), "image/png")}
    made = client.post("/v1/images/edits", data=form(n="2", seed="4", steps="9"), files=files).json()
    assert [entry["seed"] for entry in made["data"]] == [4, 5]
    job = stub.jobs[0]
    assert (job.words, job.image.size, job.regions) == ("make it blue", (60, 40), ())
    assert job.options.steps == 9


@pytest.mark.parametrize("kind", ["transparent", "white"])
def test_the_mask_of_an_edit_is_its_region(kind, client, stub):
    if kind == "transparent":
        mask = Image.new("RGBA", (60, 40), (255, 255, 255, 255))
        mask.paste((0, 0, 0, 0), (10, 5, 20, 15))
    else:
        mask = Image.new("L", (60, 40))
        mask.paste(255, (10, 5, 20, 15))
    file = BytesIO()
    mask.save(file, "PNG")
    files = {"image": ("a.png", png(60, 40)), "mask": ("m.png", file.getvalue())}
    assert client.post("/v1/images/edits", data=form(), files=files).status_code == 200
    (region,) = stub.jobs[0].regions
    assert isinstance(region, Mask)
    assert region.pixels[5:15, 10:20].all() and region.pixels.sum() == 100


@pytest.mark.parametrize(
    ("fields", "files", "status", "code"),
    [
        ({}, {}, 415, "unsupported_media_type"),
        ({}, {"mask": png()}, 400, "missing_required_parameter"),
        ({}, {"image": b"GIF89a"}, 400, "invalid_image"),
        ({}, {"image": png(), "mask": png(10, 10)}, 400, "invalid_mask"),
        ({}, {"image": png(), "mask": png(60, 40, "L")[:-30]}, 400, "invalid_image"),
        ({"n": "9"}, {"image": png()}, 400, "invalid_value"),
        ({"style": "vivid"}, {"image": png()}, 400, "unknown_parameter"),
        ({}, {"image": png(), "other": png()}, 400, "invalid_value"),
        ({"mask": "words"}, {"image": png()}, 400, "invalid_value"),
    ],
)
def test_a_wrong_form_is_refused(fields, files, status, code, client):
    sent = {name: ("x.png", content) for name, content in files.items()}
    response = client.post("/v1/images/edits", data=form(**fields), files=sent or None)
    assert error_of(response, status)["code"] == code


def test_an_empty_mask_is_refused(client):
    files = {"image": ("a.png", png()), "mask": ("m.png", png(60, 40, "RGBA"))}
    black = {"image": ("a.png", png()), "mask": ("m.png", png(60, 40))}
    assert client.post("/v1/images/edits", data=form(), files=files).status_code == 200, "all of it is transparent"
    response = client.post("/v1/images/edits", data=form(), files=black)
    assert "with pixels inside" in error_of(response, 400)["message"]
