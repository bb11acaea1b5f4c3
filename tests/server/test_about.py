"""What a server says about itself."""

import re

from tests.server.helpers import chat, error_of


def test_the_model_is_listed_with_what_it_can(client):
    listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    (card,) = listed["data"]
    assert card == client.get("/v1/models/stub").json()
    assert (card["id"], card["object"], card["owned_by"], card["created"]) == ("stub", "model", "visionllm", 1)
    assert card["tasks"] == ["detect", "segment", "semantic", "refer", "regions", "find"]
    assert card["context_length"] == 200


def test_another_model_is_not_there(client):
    assert error_of(client.get("/v1/models/gpt-4o"), 404)["code"] == "model_not_found"


def test_health_and_readiness_follow_the_engine(client, stub):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.head("/health").status_code == 200
    assert client.get("/ready").status_code == 200
    stub.stop()
    assert client.get("/health").status_code == 503
    assert client.get("/ready").status_code == 503


def test_metrics_count_requests_by_route_and_tell_of_the_engine(client):
    client.post("/v1/chat/completions", json=chat("hi"))
    client.get("/v1/models/stranger")
    client.get("/secret-of-a-client")
    page = client.get("/metrics").text
    assert 'visionllm_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1.0' in page
    assert 'visionllm_requests_total{method="GET",route="/v1/models/{name}",status="404"} 1.0' in page
    assert 'visionllm_requests_total{method="GET",route="none",status="404"} 1.0' in page
    assert re.search(r"^visionllm_engine_free_blocks 16.0$", page, re.MULTILINE)
    assert 'visionllm_engine_events_total{event="jobs"} 1.0' in page
    assert "secret" not in page and "stranger" not in page
