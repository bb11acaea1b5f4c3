"""Referring words single out one object, or none."""

import re

import pytest

from tests.data.world.scenes import boxes_of, described, drawn, picture_of, question, thing
from visionllm.data.world.families.refer import CLUES, NO_SUCH
from visionllm.data.world.scene import KINDS, SIZES
from visionllm.data.world.tasks import make_sample
from visionllm.data.world.words import ORDINALS
from visionllm.types import Routed

SIDES = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1)}
MOST = {"leftmost": "left", "rightmost": "right", "topmost": "top", "lowest": "bottom"}


def test_the_answer_routes_without_words():
    sample = make_sample(picture_of(thing("small red solid star", (20, 20))), "refer-attribute", 0)
    assert sample
    assert sample.answer.parts == ("Here it is ", Routed("", "[GRD]"), ".")
    assert boxes_of(sample, 0) == {(15, 15, 26, 26)}


@pytest.mark.parametrize("seed", [0, 1])
def test_attributes_single_out_one_object(seed: int):
    for picture in drawn(100):
        sample = make_sample(picture, "refer-attribute", seed)
        if sample is not None:
            (item,) = described(question(sample), picture.scene.objects)
            assert boxes_of(sample, 0) == {item.box}


@pytest.mark.parametrize("seed", [0, 1])
def test_orders_count_from_their_side(seed: int):
    checked = 0
    for picture in drawn(100):
        sample = make_sample(picture, "refer-ordinal", seed)
        if sample is None:
            continue
        text = question(sample).lower()
        most = re.search("|".join(MOST), text)
        place = re.search(rf"({'|'.join(ORDINALS)}) (.*?) from the ({'|'.join(SIDES)})", text)
        if most:
            index, side = 0, MOST[most[0]]
        elif place:
            index, side = ORDINALS.index(place[1]), place[3]
        else:
            continue
        axis, sign = SIDES[side]
        group = described(text, picture.scene.objects)
        group.sort(key=lambda item: sign * (item.box[axis] + item.box[axis + 2]))
        assert len(group) > 1
        assert boxes_of(sample, 0) == {group[index].box}
        checked += 1
    assert checked > 30


def test_the_largest_is_of_the_largest_size():
    for picture in drawn(150):
        sample = make_sample(picture, "refer-ordinal", 2)
        if sample is None or not (word := re.search("largest|smallest", question(sample))):
            continue
        group = described(question(sample), picture.scene.objects)
        sizes = [SIZES.index(item.size) for item in group]
        extreme = max(sizes) if word[0] == "largest" else min(sizes)
        assert sizes.count(extreme) == 1
        assert boxes_of(sample, 0) == {group[sizes.index(extreme)].box}


def test_relations_single_out_the_one_on_that_side():
    left, right = thing("small blue solid fish", (15, 50)), thing("small blue solid fish", (105, 50))
    picture = picture_of(thing("small red solid house", (60, 50)), left, right)
    found = set()
    for seed in range(60):
        sample = make_sample(picture, "refer-relation", seed)
        assert sample
        side = re.search(r"(left|right) of", question(sample))
        if side and "fish" in question(sample).split(side[0])[0]:
            found.add((side[1], boxes_of(sample, 0) == {(left if side[1] == "left" else right).box}))
    assert found == {("left", True), ("right", True)}


def test_relations_name_a_target_on_the_right_side_of_the_anchor():
    checked = 0
    for picture in drawn(100):
        sample = make_sample(picture, "refer-relation", 0)
        if sample is None:
            continue
        said = re.search(
            r"the ((?:\w+ )?\w+) (?:to the )?(left of|right of|above|below) the ((?:\w+ )?\w+)",
            question(sample).lower(),
        )
        assert said, question(sample)
        (box,) = boxes_of(sample, 0)
        targets = described(said[1], picture.scene.objects)
        (anchor,) = described(said[3], picture.scene.objects)
        axis, sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}[said[2]]
        assert box in {item.box for item in targets}
        assert sign * (box[axis] + box[axis + 2] - anchor.box[axis] - anchor.box[axis + 2]) > 0
        checked += 1
    assert checked > 40


def test_every_kind_has_clues_of_its_own():
    assert set(CLUES) == set(KINDS)
    assert all(len(clues) >= 3 for clues in CLUES.values())
    flat = [clue for clues in CLUES.values() for clue in clues]
    assert len(set(flat)) == len(flat)


def test_clues_mean_the_only_object_of_their_kind():
    for picture in drawn(100):
        sample = make_sample(picture, "refer-reasoning", 0)
        if sample is None:
            continue
        (kind,) = [k for k, clues in CLUES.items() if any(clue in question(sample) for clue in clues)]
        before = question(sample).split(next(clue for clue in CLUES[kind] if clue in question(sample)))[0]
        (item,) = [i for i in described(before, picture.scene.objects) if i.kind == kind]
        assert boxes_of(sample, 0) == {item.box}


@pytest.mark.parametrize("seed", [0, 1])
def test_what_fits_nothing_is_refused(seed: int):
    for picture in drawn(100):
        sample = make_sample(picture, "refer-nothing", seed)
        assert sample
        assert sample.answer.parts == (NO_SUCH,)
        text = question(sample).lower()
        place = re.search(rf"({'|'.join(ORDINALS)}) (.*?) from the", text)
        if place:
            assert len(described(place[2], picture.scene.objects)) <= ORDINALS.index(place[1])
        elif not re.search(r"left of|right of|above|below|one|object|most", text) and "thing" not in text:
            assert not described(text, picture.scene.objects)


def test_a_lonely_thing_has_no_order_and_no_relation():
    picture = picture_of(thing("small red solid star", (20, 20)))
    assert make_sample(picture, "refer-ordinal", 0) is None
    assert make_sample(picture, "refer-relation", 0) is None
