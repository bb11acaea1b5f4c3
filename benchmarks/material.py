"""What the benchmarks ask about, and when two outputs are the same."""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from PIL import Image

from visionllm import Answer, Detections, Options, Request, VisionLLM, ask
from visionllm.data.world import draw_picture

CAPTION = "Describe the picture."
CLASSES = ("star", "fish", "house", "tree", "car")
TOKENS = 20
BOX_PIXELS, SCORE = 0.01, 1e-3  # float arithmetic differs by the shape of a batch


def pictures(split: str = "test") -> Iterator[Image.Image]:
    """Draw pictures of the world, one after another, without end."""
    for seed in count():
        yield Image.fromarray(draw_picture(seed, split=split).pixels)


def people(number: int = 3) -> Image.Image:
    """Return the first picture of the test split with this many figures, a person among them."""
    for seed in count():
        drawn = draw_picture(seed, split="test", version=2, theme="figures")
        kinds = [figure.kind for figure in drawn.scene.figures]
        if len(kinds) == number and "person" in kinds:
            return Image.fromarray(drawn.pixels)
    raise AssertionError("the world has no end")


def talkative(model: VisionLLM, number: int) -> list[Request]:
    """Return requests whose answers are text of exactly `TOKENS` tokens, because the limit cuts them there.

    Raises:
        ValueError: If too few pictures of the first hundred give one.
    """
    options = Options(max_new_tokens=TOKENS)
    requests = []
    for picture, _ in zip(pictures("crowded"), range(100), strict=False):
        request = ask(CAPTION, picture, options=options)
        (answer,) = model.answer([request])
        if answer.tokens == TOKENS and answer.detections is None:
            requests.append(request)
        if len(requests) == number:
            return requests
    raise ValueError(f"expected {number} pictures with a description of {TOKENS} tokens, got {len(requests)}")


def require_same_detections(one: Detections | None, other: Detections | None) -> None:
    """Compare boxes, scores, groups and masks.

    Raises:
        ValueError: If they differ by more than float arithmetic explains.
    """
    if one is None or other is None:
        if one is not other:
            raise ValueError(f"expected detections in both answers or in none, got {one} and {other}")
        return
    if len(one) != len(other) or not np.array_equal(one.class_ids, other.class_ids):
        raise ValueError(f"expected the same instances, got {one.class_ids.tolist()} and {other.class_ids.tolist()}")
    if not np.allclose(one.boxes, other.boxes, rtol=0, atol=BOX_PIXELS):
        raise ValueError(f"expected equal boxes, got a difference of {np.abs(one.boxes - other.boxes).max()} pixels")
    if not np.allclose(one.scores, other.scores, rtol=0, atol=SCORE):
        raise ValueError(f"expected equal scores, got a difference of {np.abs(one.scores - other.scores).max()}")


def require_same_answers(one: Sequence[Answer], other: Sequence[Answer]) -> None:
    """Compare the words and what they routed.

    Raises:
        ValueError: If they differ.
    """
    for a, b in zip(one, other, strict=True):
        if a.text != b.text:
            raise ValueError(f"expected the same answer, got {a.text!r} and {b.text!r}")
        require_same_detections(a.detections, b.detections)
