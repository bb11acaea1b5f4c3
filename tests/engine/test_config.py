from typing import Any

import pytest

from visionllm.engine import EngineConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_running": 0}, "expected max_running of at least 1, got 0"),
        ({"max_queue": -1}, "expected max_queue of at least 0, got -1"),
        ({"deadline_s": 0}, "expected deadline_s of more than 0 seconds, and not for ever, got 0"),
        ({"deadline_s": float("inf")}, "expected deadline_s of more than 0 seconds, and not for ever, got inf"),
        ({"cache_blocks": 0}, "expected cache_blocks of at least 1, got 0"),
        ({"salt": b""}, "expected a salt of 1 to 64 bytes, got 0"),
        ({"salt": b"x" * 65}, "expected a salt of 1 to 64 bytes, got 65"),
    ],
)
def test_limits_out_of_range_are_refused(fields: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        EngineConfig(**fields)


def test_no_queue_no_cache_and_short_deadlines_are_fine():
    config = EngineConfig(max_queue=0, image_cache_bytes=0, prefix_cache_blocks=0, deadline_s=0.1, salt=b"x")
    assert config.deadline_s == 0.1
