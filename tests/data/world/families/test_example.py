"""Examples come first, and the answer follows from them alone."""

import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.families.example import MOST_EXAMPLES, NEW_WORDS
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.types import Mark, Picture, Sample

PICTURES = [draw_picture(seed, split="test", version=2) for seed in range(30)]
EXAMPLES = [name for name, family in families_of(2).items() if family.group == "example"]


def made(family: str) -> list[Sample]:
    samples = [make_sample(picture, family, seed) for seed, picture in enumerate(PICTURES)]
    return [sample for sample in samples if sample is not None]


@pytest.mark.parametrize("family", EXAMPLES)
def test_one_to_five_pictures_come_before_the_new_one(family: str):
    counts = set()
    for sample in made(family):
        pictures = sample.request.pictures
        counts.add(len(pictures) - 1)
        assert len({id(picture) for picture in pictures}) == len(pictures)
    assert min(counts) >= 1
    assert max(counts) == MOST_EXAMPLES


@pytest.mark.parametrize("family", ["example-name", "example-describe", "example-mark"])
def test_every_example_has_its_mark(family: str):
    for sample in made(family):
        parts = sample.request.messages[0].parts
        after = [parts[i + 1] for i, part in enumerate(parts) if isinstance(part, Picture)]
        assert all(isinstance(part, Mark) for part in after[:-1])


def test_a_name_stands_in_the_examples():
    refused = 0
    for sample in made("example-name"):
        answer = sample.answer.text.removesuffix(".").lower()
        refused += answer == "none of them"
        assert answer == "none of them" or f"is called {answer}." in sample.request.messages[0].text
    assert refused < 10


def test_new_words_mean_nothing():
    assert len(set(NEW_WORDS)) == len(NEW_WORDS) >= len(KINDS)
    assert not set(NEW_WORDS) & {*KINDS, *COLOURS, *SIZES, *FILLS}


def test_the_new_picture_is_the_one_that_is_marked_out():
    for sample, picture in ((make_sample(p, "example-mark", s), p) for s, p in enumerate(PICTURES)):
        if sample is None or sample.detection is None:
            continue
        boxes = {tuple(map(int, box)) for box in sample.detection.boxes}
        assert boxes <= {thing.box for thing in picture.scene.objects}
        assert sample.detection.masks is not None
        assert sample.detection.masks.shape[1:] == picture.scene.size_hw
        assert sample.request.pictures[-1].size == (picture.scene.size_hw[1], picture.scene.size_hw[0])


def test_counts_answer_as_the_examples_do():
    for sample in made("example-count"):
        words = sample.answer.text.lower().removesuffix(".").split()
        assert words[-1].rstrip("s") in sample.request.messages[0].text.lower()
