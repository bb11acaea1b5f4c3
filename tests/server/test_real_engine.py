"""A real engine with a real model behind the server: its answers are the model's own, and every decoder is reached."""

import base64
from io import BytesIO

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.server.helpers import chat, client_of, error_of, url
from tests.small import picture, small_predictor
from visionllm.engine import Engine
from visionllm.server import card_of
from visionllm.types import Box, Options


@pytest.fixture(scope="module")
def model():
    return small_predictor(full=True)


@pytest.fixture(scope="module")
def served(model):
    with Engine(model) as engine, client_of(engine, card=card_of(model, "stub")) as client:
        yield client


def file_of(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_an_answer_is_the_models_own(served: TestClient, model):
    content = [
        {"type": "image_url", "image_url": {"url": url(file_of(picture()))}},
        {"type": "text", "text": "What is "},
        {"type": "region", "box": [1, 2, 30, 20]},
    ]
    body = {"model": "stub", "messages": [{"role": "user", "content": content}], "max_tokens": 12}
    said = served.post("/v1/chat/completions", json=body).json()
    expected = model.ask("What is", picture(), regions=[Box(1, 2, 30, 20)], options=Options(max_new_tokens=12))
    assert said["choices"][0]["message"]["content"] == expected.text
    assert said["usage"]["completion_tokens"] == expected.tokens
    assert said["usage"]["prompt_tokens"] > 4
    streamed = served.post("/v1/chat/completions", json=body | {"stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")


def test_a_detection_is_the_models_own(served: TestClient, model):
    body = {"model": "stub", "task": "segment", "image": url(file_of(picture())), "names": ["star", "red fish"]}
    body |= {"options": {"threshold": 0, "max_instances": 3}}
    found = served.post("/v1/perception", json=body).json()["result"]
    expected = model.segment(picture(), ["star", "red fish"], options=Options(threshold=0, max_instances=3)).to_dict()
    assert found == expected and len(found["instances"]) == 3


@pytest.mark.faults
def test_s18_what_is_no_number_is_an_error_that_is_counted(served: TestClient, model, monkeypatch):
    logits = model.model.logits
    monkeypatch.setattr(model.model, "logits", lambda *given: logits(*given) * float("nan"))
    error = error_of(served.post("/v1/chat/completions", json=chat("hi")), 500)
    assert error["code"] == "not_finite"
    assert 'visionllm_engine_events_total{event="not_finite"} 1.0' in served.get("/metrics").text


@pytest.mark.parametrize("task", ["refer", "pose", "regions", "find", "semantic"])
def test_every_task_reaches_its_decoder(task, served: TestClient):
    image = url(file_of(picture()))
    more = {
        "refer": {"phrase": "star"},
        "pose": {"names": ["star"], "keypoints": ["nose", "tail"]},
        "regions": {"regions": [{"point": [5, 5]}]},
        "find": {"examples": [{"image": image, "region": {"box": [1, 1, 20, 20]}}]},
        "semantic": {"names": ["star", "boat"]},
    }
    response = served.post("/v1/perception", json={"model": "stub", "task": task, "image": image} | more[task])
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"size": "17x16"}, "expected a picture size of multiples of"),
        ({"size": "4096x4096"}, "expected sides of at most 48 pixels, got 4096x4096"),
        ({"size": "0x16"}, "size"),
        ({"options": {"steps": 0}}, "steps"),
        ({"options": {"steps": 101}}, "steps"),
        ({"options": {"guidance": -1}}, "guidance"),
        ({"options": {"scheduler": "Eval"}}, "expected a scheduler among"),
        (
            {"options": {"scheduler": "LCMScheduler", "steps": 99}},
            "expected a number of steps that LCMScheduler can take",
        ),
        ({"seed": 2**70}, "seed"),
    ],
)
def test_a_picture_that_cannot_be_made_is_refused_before_anything_is_done(wish, message, served: TestClient):
    error = error_of(served.post("/v1/images/generations", json={"model": "stub", "prompt": "a boat"} | wish), 400)
    assert message in f"{error['param']} {error['message']}"


def test_steps_that_no_scheduler_takes_are_refused_in_a_conversation_too(served: TestClient):
    options = {"scheduler": "LCMScheduler", "steps": 99}
    error = error_of(served.post("/v1/chat/completions", json=chat("Draw a boat.", options=options)), 400)
    assert "expected a number of steps that LCMScheduler can take" in error["message"]


def test_pictures_are_the_models_own(served: TestClient, model):
    options = {"steps": 2}
    body = {"model": "stub", "prompt": "a star", "seed": 3, "options": options}
    made = served.post("/v1/images/generations", json=body).json()
    expected = model.generate("a star", options=Options(seed=3, steps=2))
    shown = Image.open(BytesIO(base64.b64decode(made["data"][0]["b64_json"])))
    assert shown.tobytes() == expected.images[0].tobytes()
    files = {"image": ("a.png", file_of(picture()))}
    form = {"model": "stub", "prompt": "make it blue", "steps": "2"}
    assert served.post("/v1/images/edits", data=form, files=files).status_code == 200
