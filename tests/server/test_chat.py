"""Chat completions: whole answers and streams, as OpenAI's API has them, with results."""

import json

import pytest

from tests.server.helpers import chat, error_of, image_part


def chunks_of(response):
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    *lines, done = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert done == "[DONE]"
    return [json.loads(line) for line in lines]


def deltas_of(response):
    return [choice["delta"] for chunk in chunks_of(response) for choice in chunk["choices"]]


def test_an_answer_has_the_fields_of_a_chat_completion(client):
    body = client.post("/v1/chat/completions", json=chat("echo Hello there")).json()
    (choice,) = body["choices"]
    assert body["object"] == "chat.completion" and body["model"] == "stub" and body["id"].startswith("chatcmpl-")
    assert (choice["index"], choice["finish_reason"], choice["message"]["content"]) == (0, "stop", "Hello there")
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert choice["message"]["results"] == [] and choice["message"]["notices"] == ["a stub"]


def test_results_state_their_space_and_the_words_that_routed_them(client):
    body = client.post("/v1/chat/completions", json=chat(image_part(), {"type": "text", "text": "find it"})).json()
    message = body["choices"][0]["message"]
    (found,) = message["results"]
    assert found["space"] == "xyxy pixels of the original image, x1 and y1 exclusive"
    assert found["instances"][0]["box"] == [0.0, 0.0, 30.0, 20.0]
    start, end = found["instances"][0]["span"]
    assert message["content"][start:end] == "star"
    assert {"type": "routed", "text": "star", "token": "[DET]", "wrapped": True} in message["parts"]


def test_several_choices_have_seeds_of_their_own(client):
    body = client.post("/v1/chat/completions", json=chat("hi", n=3, seed=5, temperature=0.5)).json()
    said = [choice["message"]["content"] for choice in body["choices"]]
    assert said == [f"seed {seed} temperature 0.5" for seed in (5, 6, 7)]


def test_a_stream_begins_with_the_role_and_ends_with_the_reason(client):
    deltas = deltas_of(client.post("/v1/chat/completions", json=chat("echo Hello there", stream=True)))
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == "Hello there"
    last = chunks_of(client.post("/v1/chat/completions", json=chat("echo Hello there", stream=True)))[-1]
    assert last["choices"][0]["finish_reason"] == "stop"


def test_a_result_comes_before_the_sentence_after_it(client):
    deltas = deltas_of(client.post("/v1/chat/completions", json=chat("find it", stream=True)))
    kinds = [next(iter(delta)) for delta in deltas]
    assert kinds == ["role", "content", "results", "content", "parts"]
    assert deltas[2]["results"][0]["span"] == [12, 16]
    assert deltas[2]["results"][0]["instances"][0]["label"] == "star"
    assert "results" not in deltas[-1], "what was sent is not sent again"


def test_a_stream_of_several_choices_tells_them_apart(client):
    chunks = chunks_of(client.post("/v1/chat/completions", json=chat("hi", stream=True, n=2)))
    said = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk["choices"]:
            said[choice["index"]] += choice["delta"].get("content", "")
    assert said == {0: "seed 0 temperature 0", 1: "seed 1 temperature 0"}


def test_the_usage_is_the_last_chunk_of_those_who_ask_for_it(client):
    body = chat("echo Hello there", stream=True, stream_options={"include_usage": True})
    last = chunks_of(client.post("/v1/chat/completions", json=body))[-1]
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_before_the_first_word_has_its_own_status(stream, client):
    error = error_of(client.post("/v1/chat/completions", json=chat("fail now", stream=stream)), 500)
    assert error == {
        "message": "the model could not finish the request",
        "type": "server_error",
        "param": None,
        "code": "job_failed",
    }


def test_a_failure_in_the_middle_of_a_stream_is_its_last_event(client):
    response = client.post("/v1/chat/completions", json=chat("break off", stream=True))
    *_, last = [line for line in response.text.split("\n\n") if line]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "job_failed"
    assert "[DONE]" not in response.text


@pytest.mark.faults
@pytest.mark.parametrize("question", ["nan", "nanbox"])
@pytest.mark.parametrize("stream", [True, False])
def test_s18_what_is_no_number_is_an_error_and_never_in_json(question, stream, client):
    response = client.post("/v1/chat/completions", json=chat(question, stream=stream))
    assert "NaN" not in response.text
    assert '"not_finite"' in response.text


def test_an_answer_goes_back_into_the_history_as_it_came(client, stub):
    body = chat("find it")
    message = client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
    again = body | {"messages": [*body["messages"], message, {"role": "user", "content": "echo thanks"}]}
    assert client.post("/v1/chat/completions", json=again).status_code == 200
    turn = stub.jobs[-1].messages[1]
    assert turn.role == "assistant" and turn.text == message["content"]
    assert [part.token for part in turn.parts if not isinstance(part, str)] == ["[DET]"]


def test_another_model_is_not_found(client):
    error = error_of(client.post("/v1/chat/completions", json=chat("hi", model="gpt-4o")), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
