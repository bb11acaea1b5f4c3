"""Messages as a request: pictures, regions, history and options arrive as the model knows them."""

import pytest

from tests.server.helpers import chat, error_of, image_part, png, url
from visionllm.types import Box, Mark, Mask, Picture, Point, Polygon, Scribble


def test_parts_arrive_in_their_order(client, stub):
    parts = [
        image_part(png(60, 40)),
        {"type": "text", "text": "What is "},
        {"type": "region", "box": [1, 2, 30, 20]},
        {"type": "text", "text": " there?"},
    ]
    assert client.post("/v1/chat/completions", json=chat(*parts)).status_code == 200
    picture, what, mark, there = stub.jobs[0].messages[0].parts
    assert isinstance(picture, Picture) and picture.image.size == (60, 40) and picture.image.mode == "RGB"
    assert (what, there) == ("What is ", " there?")
    assert mark == Mark(Box(1, 2, 30, 20), picture=None, numbered=True)


@pytest.mark.parametrize(
    ("form", "region"),
    [
        ({"point": [5, 6]}, Point(5, 6)),
        ({"scribble": [[1, 1], [5, 5]], "width": 4}, Scribble(((1, 1), (5, 5)), 4)),
        ({"scribble": [[1, 1], [5, 5]]}, Scribble(((1, 1), (5, 5)))),
        ({"polygon": [[1, 1], [9, 1], [9, 9]]}, Polygon(((1, 1), (9, 1), (9, 9)))),
    ],
)
def test_every_form_of_a_region_arrives(form, region, client, stub):
    parts = [image_part(), {"type": "text", "text": "this?"}, {"type": "region"} | form]
    assert client.post("/v1/chat/completions", json=chat(*parts)).status_code == 200
    assert stub.jobs[0].messages[0].parts[2].region == region


@pytest.mark.parametrize("form", ["runs", "picture"])
def test_a_mask_arrives_as_its_pixels(form, client, stub):
    from io import BytesIO

    from PIL import Image

    white = Image.new("L", (60, 40))
    white.paste(255, (10, 5, 20, 15))
    file = BytesIO()
    white.save(file, "PNG")
    runs = [10 * 40 + 5]
    for _ in range(10):
        runs += [10, 30]
    runs[-1] += 40 * 60 - sum(runs)
    mask = {"size": [40, 60], "counts": runs} if form == "runs" else url(file.getvalue())
    parts = [image_part(), {"type": "text", "text": "this?"}, {"type": "region", "mask": mask}]
    response = client.post("/v1/chat/completions", json=chat(*parts))
    assert response.status_code == 200, response.text
    region = stub.jobs[0].messages[0].parts[2].region
    assert isinstance(region, Mask)
    assert region.pixels[5:15, 10:20].all() and region.pixels.sum() == 100


def test_a_region_may_name_an_earlier_picture(client, stub):
    parts = [image_part(png(10, 10)), image_part(), {"type": "text", "text": "x"}]
    body = chat(*parts, {"type": "region", "picture": 0, "box": [1, 1, 10, 10]})
    assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert stub.jobs[0].messages[0].parts[3].picture == 0
    outside = chat(*parts, {"type": "region", "picture": 0, "box": [1, 1, 11, 10]})
    assert "region 0" in error_of(client.post("/v1/chat/completions", json=outside), 400)["message"]


def test_options_arrive(client, stub):
    more = {
        "seed": 3,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "options": {"threshold": 0.25, "masks": False},
    }
    client.post("/v1/chat/completions", json=chat("hi", **more))
    options = stub.jobs[0].options
    assert (options.seed, options.temperature, options.top_p, options.max_new_tokens) == (3, 0.5, 0.9, 7)
    assert (options.threshold, options.masks) == (0.25, False)


def test_a_system_message_and_turns_arrive(client, stub):
    body = chat("echo yes")
    body["messages"] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        *body["messages"],
    ]
    client.post("/v1/chat/completions", json=body)
    assert [(m.role, m.text) for m in stub.jobs[0].messages][:3] == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]


def test_parts_that_contradict_the_content_are_refused(client):
    body = chat("hi")
    said = {"role": "assistant", "content": "yes", "parts": [{"type": "text", "text": "no"}]}
    body["messages"] = [*body["messages"], said, *body["messages"]]
    assert "expected parts with the words" in error_of(client.post("/v1/chat/completions", json=body), 400)["message"]


def test_both_limits_at_once_are_refused(client):
    body = chat("hi", max_tokens=3, max_completion_tokens=3)
    assert "got both" in error_of(client.post("/v1/chat/completions", json=body), 400)["message"]
