"""Options that several commands share."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from visionllm.cli.options import ProtocolName, answer_options, parse_regions
from visionllm.types import Box, Mask, Point, Polygon, Scribble
from visionllm.types.requests import Protocol


def test_regions_are_read_in_the_order_of_their_kinds():
    regions = parse_regions(["1,2,3.5,4"], ["5,6", "7,8"], ["0,0 1,1"], ["0,0 4,0 4,4"], None)
    assert regions == [
        Box(1, 2, 3.5, 4),
        Point(5, 6),
        Point(7, 8),
        Scribble(((0, 0), (1, 1))),
        Polygon(((0, 0), (4, 0), (4, 4))),
    ]
    assert parse_regions(None, None, None, None, None) == []


def test_the_white_pixels_of_a_file_are_a_mask(tmp_path):
    white = Image.new("1", (4, 3))
    white.putpixel((2, 1), 1)
    white.save(tmp_path / "mask.png")
    (region,) = parse_regions(None, None, None, None, [tmp_path / "mask.png"])
    assert isinstance(region, Mask)
    assert np.argwhere(region.pixels).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (0, "1,2,3", "expected --box x0,y0,x1,y1 in pixels, got '1,2,3'"),
        (0, "a,b,c,d", "got 'a,b,c,d'"),
        (1, "1;2", "expected --point x,y in pixels, got '1;2'"),
        (1, "nan,2", "got 'nan,2'"),
        (2, "1,2 3", 'expected --scribble "x,y x,y …" in pixels, got'),
        (3, "1,2 3,inf", "--polygon"),
    ],
)
def test_a_region_that_is_not_written_as_asked_is_refused(kind, text, message):
    given = [None] * 5
    given[kind] = [text]
    with pytest.raises(ValueError, match=message):
        parse_regions(*given)


def test_options_take_the_models_own_values_where_nothing_is_said():
    assert answer_options(None).threshold is None
    assert answer_options(0.5, 3, 9).max_new_tokens == 9
    assert answer_options(None).protocol == "known"


def test_the_protocols_are_those_of_requests():
    assert get_args(ProtocolName) == get_args(Protocol)
    assert answer_options(None, protocol="published").lowest_score(0.3) == 0


@pytest.mark.parametrize("command", ["detect", "segment", "semantic", "refer", "find", "pose", "generate", "edit"])
def test_every_command_of_a_task_asks_by_the_protocol_that_is_chosen(command, visionllm, monkeypatch, image, tmp_path):
    asked = []

    class Recorder:
        def __getattr__(self, name):
            def method(*_, **given):
                if name == "learn":
                    return self
                asked.append(given["options"].protocol)
                raise ValueError("enough")

            return method

    monkeypatch.setattr("visionllm.predictor.VisionLLM.load", lambda *_, **__: Recorder())
    words = {"pose": ["person"], "find": ["-e", f"{image}@5,5"], "generate": []}.get(command, ["star"])
    given = [command, "a star" if command == "generate" else image, *words, "--protocol", "free"]
    ran = visionllm(*given, *(["--out", tmp_path / "new.png"] if command in ("generate", "edit") else []))
    assert ran.err == "visionllm: error: enough\n"
    assert asked == ["free"]
    refused = visionllm(*given[:-1], "fast")
    assert refused.code == 2 and "'--protocol'" in refused.err
