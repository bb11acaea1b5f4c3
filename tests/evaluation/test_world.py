"""Which pictures are drawn and which questions are asked about them."""

import itertools

import numpy as np
import pytest

from visionllm.data.world.tasks import FAMILIES
from visionllm.evaluation.base import Ask, Question
from visionllm.evaluation.world import Asked, WorldSetting, by_picture, families_of
from visionllm.types import Answer, Message, Request, Routed, Sample


def test_seeds_draw_different_pictures_and_one_seed_the_same():
    one, two = WorldSetting(seed=1), WorldSetting(seed=2)
    assert np.array_equal(one.picture(3).pixels, WorldSetting(seed=1).picture(3).pixels)
    assert not np.array_equal(one.picture(3).pixels, two.picture(3).pixels)


def test_seeds_never_share_a_picture():
    last = WorldSetting(seed=1, pictures=25_000)
    assert last.picture(last.limit - 1).scene.seed < WorldSetting(seed=2).picture(0).scene.seed


def test_pictures_belong_to_the_split_and_have_the_default_canvas():
    scene = WorldSetting(split="crowded").picture(0).scene
    assert (scene.split, scene.size_hw) == ("crowded", (128, 128))
    assert len(scene.objects) >= 8


def test_a_question_can_be_asked_again_in_the_same_words():
    first, again = (WorldSetting(seed=4).sample(0, "count") for _ in range(2))
    assert first is not None and again is not None
    assert first.request.messages[0].text == again.request.messages[0].text


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_is_offered_by_enough_pictures(family):
    setting = WorldSetting(seed=2, pictures=15)
    found = list(setting.samples(family))
    assert len(found) == 15
    assert all(sample.family == family for _, sample in found)
    assert [index for index, _ in found] == sorted({index for index, _ in found})


def test_a_family_that_no_picture_offers_gives_up(monkeypatch):
    monkeypatch.setattr(WorldSetting, "sample", lambda *_, **__: None)
    assert list(WorldSetting(pictures=2).samples("count")) == []


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.startswith("refer")])
def test_a_plain_question_is_the_phrase_of_the_free_one(family):
    setting = WorldSetting(seed=5, pictures=8)
    pairs = zip(setting.samples(family), setting.samples(family, plain=True), strict=True)
    for (_, free), (_, plain) in pairs:
        words = plain.request.messages[-1].text
        assert words.startswith("the ")
        assert words.lower() in free.request.messages[-1].text.lower()
        assert plain.answer.text == free.answer.text


def test_unseen_phrasing_draws_the_held_out_words():
    setting = WorldSetting(split="unseen-phrasing", pictures=1)
    assert setting.desk(0, "count").phrasing == "unseen"
    assert WorldSetting(split="test").desk(0, "count").phrasing == "train"


def test_the_threshold_reaches_the_request():
    sample = WorldSetting(threshold=0.4).sample(0, "count")
    assert sample is not None
    assert sample.request.options.threshold == 0.4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "dev"}, "expected one of train, .* as split, got 'dev'"),
        ({"seed": -1}, r"expected a number in \[0, 10000\) as seed, got -1"),
        ({"seed": 10_000}, r"expected a number in \[0, 10000\) as seed, got 10000"),
        ({"pictures": 0}, r"expected a number in \[1, 25000\] as pictures, got 0"),
        ({"pictures": 25_001}, r"expected a number in \[1, 25000\] as pictures, got 25001"),
        ({"mode": "all"}, "expected one of free, known, both as mode, got 'all'"),
        ({"threshold": 1.5}, r"expected a number in \[0, 1\] as threshold, got 1.5"),
        ({"draws": -1}, "expected a number that is not negative as draws, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        WorldSetting(**wrong)


def test_streams_are_merged_by_picture():
    def stream(sort, *pictures):
        sample = Sample(request=Request(()), answer=Message("assistant", ()))
        return (Question(picture=p, sort=sort, call=Ask(sample.request), truth=None) for p in pictures)

    merged = by_picture([stream("a", 0, 2, 5), stream("b", 1, 2), stream("c")])
    assert [(q.picture, q.sort) for q in merged] == [(0, "a"), (1, "b"), (2, "a"), (2, "b"), (5, "a")]


def test_families_are_listed_by_group():
    assert set(itertools.chain(*map(families_of, {f.group for f in FAMILIES.values()}))) == set(FAMILIES)
    assert "count" in families_of("talk")
    assert families_of("talk", "refer") != families_of("talk")


def test_an_answer_that_routes_nothing_finds_nothing_in_the_right_size():
    asked = Asked(picture=0, sample=next(WorldSetting().samples("detect-one"))[1])
    found = asked.found_in(Answer(text="No."))
    assert (len(found), found.size_hw) == (0, (128, 128))
    assert found.masks is not None and found.masks.shape == (0, 128, 128)


def test_labels_are_normalised_and_masks_are_those_of_the_truth():
    sample = next(WorldSetting().samples("detect-one"))[1]
    asked = Asked(picture=0, sample=sample)
    assert asked.labels == tuple(part.text for part in sample.answer.parts if isinstance(part, Routed))
    assert asked.truth is not None and asked.masks is asked.truth.masks
    nothing = Asked(picture=0, sample=next(WorldSetting().samples("detect-nothing"))[1])
    assert nothing.labels == () and nothing.truth is None and nothing.masks.shape == (0, 128, 128)
