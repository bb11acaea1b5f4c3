"""What holds for every task family: phrasings, truth, English, and the pairs that training must not know."""

import re
from itertools import pairwise

import numpy as np
import pytest

from tests.data.world.scenes import WORLD_WORDS, desk_for, drawn, picture_of, thing
from visionllm.data.world.families.base import Family, image_of, listed, truth_of
from visionllm.data.world.families.choosing import pick_count, pick_unique, present, tell_attribute
from visionllm.data.world.scene import COLOURS, KINDS
from visionllm.data.world.splits import UNSEEN_PAIRS
from visionllm.data.world.tasks import FAMILIES, GROUPS, make_sample
from visionllm.data.world.words import NUMBERS, plural
from visionllm.types import Mark, Part, Picture, Routed, Sample

PICTURES = 40
NEEDS_TWO_THINGS = {"refer-relation", "refer-ordinal", "segment-several", "region-compare"}
each_family = pytest.mark.parametrize("family", [pytest.param(f, id=name) for name, f in FAMILIES.items()])
asking_families = pytest.mark.parametrize(
    "family", [pytest.param(f, id=name) for name, f in FAMILIES.items() if name != "known-classes"]
)


def forms(family: Family, phrasing: str) -> set[str]:
    return {
        form for grammar in family.grammars for form in grammar.forms("unseen" if phrasing == "unseen" else "train")
    }


def samples(family: Family, split: str = "train", seed: int = 0) -> list[Sample]:
    made = [make_sample(picture, family.name, seed + i) for i, picture in enumerate(drawn(PICTURES, split))]
    return [sample for sample in made if sample is not None]


def texts(sample: Sample) -> list[str]:
    messages = (*sample.request.messages, sample.answer)
    return ["".join(map(spelled, message.parts)) for message in messages]


def spelled(part: Part) -> str:
    if isinstance(part, Routed):
        return part.text
    return part if isinstance(part, str) else "region" if isinstance(part, Mark) else ""


@each_family
def test_most_pictures_offer_a_question(family: Family):
    made = [
        make_sample(picture, family.name, 0)
        for picture in drawn(PICTURES)
        if len(picture.scene.objects) >= (2 if family.name in NEEDS_TWO_THINGS else 1)
    ]
    assert sum(sample is not None for sample in made) >= 0.85 * len(made)


@each_family
def test_even_extreme_pictures_are_no_trouble(family: Family):
    crowd = [thing("small red solid star", (10 + 20 * (i % 6), 10 + 20 * (i // 6))) for i in range(20)]
    for picture in (picture_of(), picture_of(crowd[0]), picture_of(*crowd)):
        for seed in range(10):
            sample = make_sample(picture, family.name, seed)
            assert sample is None or sample.answer.parts


@each_family
def test_a_seed_always_gives_the_same_sample(family: Family):
    for picture in drawn(12):
        one, two = make_sample(picture, family.name, 5), make_sample(picture, family.name, 5)
        assert (one is None) == (two is None)
        if one and two:
            assert texts(one) == texts(two)
            assert one.answer.parts == two.answer.parts
            assert [type(p) for p in one.request.messages[-1].parts] == [
                type(p) for p in two.request.messages[-1].parts
            ]


@each_family
def test_the_form_of_a_sample_is_right(family: Family):
    for sample in samples(family):
        first, *later = sample.request.messages
        assert sample.family == family.name
        assert sum(isinstance(part, Picture) for part in first.parts) == (family.name != "chat")
        assert not any(isinstance(part, Picture | Routed) for message in later for part in message.parts[1:])
        assert [m.role for m in sample.request.messages] == ["user", "assistant"] * (len(later) // 2) + ["user"]
        assert sample.answer.role == "assistant"
        assert not any(isinstance(part, Picture | Mark) for part in sample.answer.parts)
        assert sample.learn_text is (family.name != "known-classes")


@each_family
def test_truth_belongs_to_the_routed_spans(family: Family):
    for sample in samples(family):
        spans = sum(isinstance(part, Routed) for part in sample.answer.parts)
        assert set(sample.truth) == ({"detection"} if spans else set())
        if truth := sample.detection:
            assert truth.masks is not None
            assert len(truth.boxes) == len(truth.class_ids) == len(truth.masks)
            assert set(truth.class_ids.tolist()) <= set(range(spans))
            if family.name != "known-classes":
                assert set(truth.class_ids.tolist()) == set(range(spans))


@asking_families
def test_there_are_two_hundred_phrasings_and_a_fifth_is_held_out(family: Family):
    train, unseen = forms(family, "train"), forms(family, "unseen")
    assert len(train | unseen) >= 200
    assert 0.12 <= len(unseen) / len(train | unseen) <= 0.28
    assert not train & unseen


@each_family
def test_there_are_samples_in_unseen_phrasing(family: Family):
    made = [make_sample(picture, family.name, 0, "unseen") for picture in drawn(20)]
    assert sum(sample is not None for sample in made) >= 10


@pytest.mark.parametrize(
    ("family", "form"),
    [
        ("detect-one", "detect every {one}."),
        ("count", "how many {many} are there?"),
        ("count", "how many {many}?"),
        ("caption", "what is in this picture?"),
        ("relation", "what is {side} {the}?"),
        ("region-recognition", "what is this? {mark}"),
        ("segment-instances", "segment {the}."),
        ("refer-attribute", "find {the}"),
    ],
)
def test_the_barest_questions_are_trained_on(family: str, form: str):
    assert form in forms(FAMILIES[family], "train")


@each_family
def test_articles_and_plurals_are_right(family: Family):
    for sample in samples(family):
        for text in texts(sample):
            assert not re.search(r"\ba [aeiou]\w", text, re.IGNORECASE), text
            assert not re.search(r"\ban [^aeiou]", text, re.IGNORECASE), text
            assert not re.search(r"fishs|fishes|crosss|  |\{|\}| [,?]", text), text
            for number, noun in pairwise(re.findall(r"[a-z-]+:?", text.lower())):
                if number in NUMBERS[2:] and noun in WORLD_WORDS & set(KINDS):
                    assert noun == plural(noun), text


@each_family
def test_sentences_end_once(family: Family):
    for sample in samples(family):
        assert sample.answer.text.endswith((".", "!"))
        assert not re.search(r"[.?!]{2}|\?\.", " ".join(texts(sample)))


@each_family
@pytest.mark.parametrize("split", ["train", "test", "crowded"])
def test_unseen_pairs_are_never_spoken_of(family: Family, split: str):
    held_out = [rf"{colour} (\w+ )?({kind}|{plural(kind)})\b" for kind, colour in UNSEEN_PAIRS]
    held_out += [rf"\b({kind}|{plural(kind)}) (is|are) {colour}\b" for kind, colour in UNSEEN_PAIRS]
    held_out += [rf"{colour} (\w+ )?thing is an? {kind}\b" for kind, colour in UNSEEN_PAIRS]
    pattern = re.compile("|".join(held_out))
    for sample in (*samples(family, split), *samples(family, split, 100)):
        for text in texts(sample):
            assert not pattern.search(text.lower()), text


def test_unseen_pairs_are_asked_about_in_their_split():
    spoken = " ".join(text for sample in samples(FAMILIES["caption"], "unseen-pairs") for text in texts(sample))
    assert any(f"{colour} {kind}" in spoken for kind, colour in UNSEEN_PAIRS)


def test_families_stand_group_by_group_with_an_example_each():
    groups = [family.group for family in FAMILIES.values()]
    assert groups == sorted(groups, key=GROUPS.index)
    assert set(groups) == set(GROUPS)
    assert all(family.example for family in FAMILIES.values())
    assert {family.score for family in FAMILIES.values()} == {"exact", "facts", "ap", "iou", "refusal"}


def test_one_image_serves_all_questions_about_a_picture():
    picture = drawn(1)[0]
    assert image_of(picture) is image_of(picture)
    assert np.array_equal(np.asarray(image_of(picture)), picture.pixels)


def test_truth_of_nothing_is_empty():
    truth = truth_of([[], []], (10, 20))
    assert truth.boxes.shape == (0, 4)
    assert truth.masks is not None
    assert truth.masks.shape == (0, 10, 20)


def test_truth_counts_spans_in_order():
    star, fish = thing("small red solid star", (20, 20)), thing("large blue solid fish", (70, 50))
    truth = truth_of([[star], [], [fish, star]], (100, 120))
    assert truth.class_ids.tolist() == [0, 2, 2]
    assert truth.boxes[1].tolist() == list(fish.box)


def test_an_answer_lists_its_labels():
    assert listed(["star", "fish"]) == ("Here you go: ", Routed("star", "[DET]"), ", ", Routed("fish", "[DET]"), ".")


def test_a_desk_refuses_spans_without_objects():
    with pytest.raises(ValueError, match="expected 1 lists of objects, one per routed span, got 0"):
        desk_for(picture_of()).sample(("Find it.",), listed(["star"]))


def test_balanced_picking_gives_rare_values_their_turn():
    things = [
        thing(f"small red {fill} {kind}", (20, 20))
        for fill, kind in zip(["solid"] * 5 + ["dotted"], KINDS, strict=False)
    ]
    picked = [pick_unique(desk_for(picture_of(*things), seed), (("kind",), ("size",)), "fill") for seed in range(100)]
    assert 30 <= sum(pair is not None and pair[1].fill == "dotted" for pair in picked) <= 70


def test_nothing_is_picked_where_nothing_stands_out():
    twins = [thing("small red solid star", (20, 20)), thing("small red solid star", (60, 20))]
    assert pick_unique(desk_for(picture_of(*twins)), (("kind",), ("colour",)), "fill") is None
    assert pick_unique(desk_for(picture_of()), (("kind",), ("colour",)), "fill") is None
    assert present(desk_for(picture_of()), ("kind",)) is None


def test_counts_are_spread_over_the_numbers_of_the_picture():
    things = [thing(f"small {colour} solid star", (20, 20)) for colour in COLOURS[:6]]
    numbers = [pick_count(desk_for(picture_of(*things), seed))[1] for seed in range(200)]
    assert set(numbers) == {0, 1, 6}
    assert max(numbers.count(number) for number in {0, 1, 6}) < 120


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("kind", "It is an umbrella."),
        ("colour", "It is red."),
        ("fill", "It is outlined."),
        ("size", "It is medium-sized."),
    ],
)
def test_attributes_are_told_in_one_sentence(attribute: str, text: str):
    assert tell_attribute(thing("medium red outline umbrella", (20, 20)), attribute) == text
