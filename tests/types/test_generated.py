"""New pictures: their plain data, and what they refuse."""

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import Canvas
from visionllm.types import GeneratedImages


def generated(**changes: Any) -> GeneratedImages:
    pictures = (np.zeros((4, 6, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8))
    return GeneratedImages(**{"pictures": pictures, "seeds": (3, 4)} | changes)


def test_new_pictures_say_their_size_seed_and_words_and_come_as_png():
    plain = generated(labels=("a cat", "a dog"), spans=((0, 5), None), original_hw=(8, 12)).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert "whole original image" in plain["space"]
    first, second = plain["instances"]
    assert (first["label"], first["seed"], first["size_hw"], first["span"]) == ("a cat", 3, [4, 6], [0, 5])
    assert "span" not in second
    back = Image.open(BytesIO(base64.b64decode(second["png"])))
    np.testing.assert_array_equal(np.asarray(back), generated().pictures[1])


def test_pictures_from_nothing_name_no_original():
    plain = generated().to_dict()
    assert "original" not in plain["space"]
    assert plain["original_hw"] is None
    assert [instance["label"] for instance in plain["instances"]] == ["0", "1"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seeds": (1,)}, "expected 2 seeds, one per picture, got 1"),
        ({"seeds": ()}, "expected 2 seeds, one per picture, got 0"),
        ({"labels": ("a",)}, "expected 2 labels, one per picture, got 1"),
        ({"spans": (None,) * 3}, "expected 2 spans, one per picture, got 3"),
        ({"pictures": (np.zeros((4, 6), np.uint8),), "seeds": (1,)}, r"expected pictures uint8\[h, w, 3\], got uint8"),
        ({"pictures": (np.zeros((4, 6, 3)),), "seeds": (1,)}, r"got float64\[4, 6, 3\]"),
    ],
)
def test_new_pictures_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        generated(**wrong)


def test_new_pictures_draw_themselves():
    image = Image.new("RGB", (12, 8))
    canvas = Canvas(image, 2)
    generated(original_hw=(8, 12)).draw(canvas)
    assert canvas.image.width > 2 * 24
    assert generated(original_hw=(8, 12)).render(image, scale=2).size == canvas.image.size
