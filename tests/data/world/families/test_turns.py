"""Conversations lean on what was said before, truly."""

import re
from collections import Counter

from tests.data.world.scenes import described, drawn, picture_of, thing
from visionllm.data.world.tasks import make_sample
from visionllm.data.world.words import NUMBERS

STARS = (
    thing("small red solid star", (20, 20)),
    thing("small red dotted star", (60, 20)),
    thing("large red dotted star", (60, 70)),
)


def test_conversations_have_two_or_three_turns():
    lengths = Counter(len(s.request.messages) for p in drawn(100) if (s := make_sample(p, "multi-turn", 0)))
    assert set(lengths) == {3, 5}


def test_a_count_of_them_counts_among_them():
    checked = 0
    for seed in range(200):
        sample = make_sample(picture_of(*STARS), "multi-turn", seed)
        assert sample
        first, _, *_, last = sample.request.messages
        if not re.search("how many|number|count", first.text, re.IGNORECASE):
            continue
        number = len(described(last.text.replace("medium-sized", "medium"), STARS))
        assert sample.answer.text == ("None." if number == 0 else f"{NUMBERS[number].capitalize()}.")
        checked += 1
    assert checked > 30


def test_it_is_the_thing_of_the_first_turn():
    checked = 0
    for picture in drawn(150):
        sample = make_sample(picture, "multi-turn", 3)
        if sample is None or not re.search(r"\b(it|its)\b", sample.request.messages[-1].text.lower()):
            continue
        said = [m.text for m in sample.request.messages[:2]]
        (item,) = described(" ".join(said), picture.scene.objects)
        last = sample.request.messages[-1].text.replace("medium-sized", "medium")
        if sample.answer.text in ("Yes.", "No."):
            assert sample.answer.text == ("Yes." if described(last, (item,)) else "No.")
        else:
            assert described(sample.answer.text.replace("medium-sized", "medium"), (item,)) == [item]
        checked += 1
    assert checked > 25


def test_an_empty_picture_still_has_a_conversation():
    sample = make_sample(picture_of(), "multi-turn", 0)
    assert sample
    assert sample.answer.text.startswith("No, there is no ")
