"""What holds for every family of version 2: phrasings, truth, English."""

import re

import pytest

from tests.data.world.test_families import forms, texts
from visionllm.data.world import draw_picture
from visionllm.data.world.families.base import Family
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.tasks import ALL_FAMILIES, ALL_GROUPS, FAMILIES, families_of, make_sample
from visionllm.types import DetectionTruth, Mark, Picture, PoseTruth, Routed, Sample

SECOND = families_of(2)
PICTURES = 24
each_family = pytest.mark.parametrize("family", [pytest.param(f, id=name) for name, f in SECOND.items()])
asking_families = pytest.mark.parametrize(
    "family", [pytest.param(f, id=name) for name, f in SECOND.items() if name != "known-poses"]
)
_cache: dict[tuple[str, str], list[WorldPicture]] = {}


def pictures(theme: str, split: str = "train") -> list[WorldPicture]:
    if (theme, split) not in _cache:
        _cache[theme, split] = [
            draw_picture(seed, split=split, version=2, theme=theme, photos=False) for seed in range(PICTURES)
        ]
    return _cache[theme, split]


def samples(family: Family, split: str = "train", seed: int = 0) -> list[Sample]:
    made = [make_sample(picture, family.name, seed + i) for i, picture in enumerate(pictures(family.theme, split))]
    return [sample for sample in made if sample is not None]


def squeezed(text: str) -> str:
    """Leave out the blanks where pictures stand between words."""
    return re.sub(r" +", " ", text)


def routed(sample: Sample) -> list[Routed]:
    return [part for part in sample.answer.parts if isinstance(part, Routed)]


def test_version_one_is_as_it_was():
    assert len(FAMILIES) == 37
    assert next(iter(FAMILIES)) == "colour"
    assert not set(FAMILIES) & set(SECOND)
    assert dict(ALL_FAMILIES) == {**FAMILIES, **SECOND}


def test_an_unknown_version_is_refused():
    with pytest.raises(ValueError, match="expected one of the versions 1, 2, got 3"):
        families_of(3)


def test_families_stand_group_by_group_with_an_example_each():
    groups = [family.group for family in ALL_FAMILIES.values()]
    assert groups == sorted(groups, key=ALL_GROUPS.index)
    assert set(groups) <= set(ALL_GROUPS)
    assert all(family.example for family in SECOND.values())


@pytest.mark.parametrize(("family", "version"), [("pose-person", 1), ("count", 2)])
def test_a_picture_of_the_other_version_is_refused(family: str, version: int):
    picture = draw_picture(0, split="test", version=version)
    with pytest.raises(ValueError, match=rf"expected a picture of version {3 - version} for the family '{family}'"):
        make_sample(picture, family, 0)


@each_family
def test_many_pictures_offer_a_question(family: Family):
    rare = family.group in ("pose", "draw", "edit")
    assert len(samples(family)) >= (0.2 if rare else 0.6) * PICTURES


@each_family
def test_a_seed_always_gives_the_same_sample(family: Family):
    for picture in pictures(family.theme)[:5]:
        one, two = make_sample(picture, family.name, 5), make_sample(picture, family.name, 5)
        assert (one is None) == (two is None)
        if one and two:
            assert texts(one) == texts(two)
            assert one.answer.parts == two.answer.parts


@asking_families
def test_there_are_two_hundred_phrasings_and_a_fifth_is_held_out(family: Family):
    train, unseen = forms(family, "train"), forms(family, "unseen")
    assert len(train | unseen) >= 200
    assert 0.12 <= len(unseen) / len(train | unseen) <= 0.28
    assert not train & unseen


@asking_families
def test_there_are_samples_in_unseen_phrasing(family: Family):
    made = [make_sample(picture, family.name, 0, "unseen") for picture in pictures(family.theme)]
    assert sum(sample is not None for sample in made) >= 4


@each_family
def test_the_form_of_a_sample_is_right(family: Family):
    for sample in samples(family):
        assert sample.family == family.name
        assert sample.request.messages[-1].role == "user"
        assert sample.answer.role == "assistant"
        assert not any(isinstance(part, Picture | Mark) for part in sample.answer.parts)
        assert not any(isinstance(part, Routed) for message in sample.request.messages for part in message.parts)


@each_family
def test_truth_belongs_to_the_routed_spans(family: Family):
    for sample in samples(family):
        spans = routed(sample)
        assert bool(sample.truth) == bool(spans)
        for truth in sample.truth.values():
            if isinstance(truth, DetectionTruth):
                assert truth.masks is not None
                assert set(truth.class_ids.tolist()) == set(range(len(spans)))
            if isinstance(truth, PoseTruth):
                objects = [i for i, span in enumerate(spans) if span.token == "[DET]"]
                named = set(truth.class_ids.tolist())
                assert named <= set(objects) if family.name == "known-poses" else named == set(objects)
                assert len(truth.sigmas) == len(spans) - len(objects)


@each_family
def test_english_is_right(family: Family):
    for sample in samples(family):
        for text in map(squeezed, texts(sample)):
            assert not re.search(r"\ba [aeiou](?!ne\b)\w", text, re.IGNORECASE), text
            assert not re.search(r"\ban [^aeiou]", text, re.IGNORECASE), text
            assert not re.search(r"fishs|fishes|crosss|  |\{|\}| [,?]|persons", text), text
        assert sample.answer.text.endswith((".", "!"))


@asking_families
def test_negative_questions_are_asked(family: Family):
    # A prompt, a caption, a map of what is there, or an edit of the whole picture has nothing to refuse.
    if family.group in ("draw", "edit") or family.name.endswith(("-caption", "segment-semantic", "segment-salient")):
        return
    split = [sample for seed in (0, 100, 200, 300) for sample in samples(family, "train", seed)]
    refused = [sample for sample in split if re.search(r"\b(no|nothing|not|none)\b", sample.answer.text.lower())]
    assert refused, family.name
