"""Noun phrases describe what they say."""

import numpy as np

from tests.data.world.scenes import thing
from visionllm.data.world.phrases import Phrase, absent_phrase, phrase_for, speakable, unique_phrases
from visionllm.data.world.splits import UNSEEN_PAIRS, Dice

STAR = thing("small red striped star", (20, 20))
FISH = thing("large blue solid fish", (70, 50))
OTHER_STAR = thing("large red outline star", (70, 20))


def test_words_stand_in_the_english_order():
    phrase = phrase_for(OTHER_STAR, ("kind", "fill", "colour", "size"))
    assert (phrase.one, phrase.many) == ("large red outlined star", "large red outlined stars")
    assert (phrase.a, phrase.the) == ("a large red outlined star", "the large red outlined star")


def test_what_has_no_kind_is_a_thing():
    assert Phrase(colour="orange").a == "an orange thing"
    assert Phrase(noun="object").many == "objects"


def test_a_phrase_fits_what_has_all_its_attributes():
    assert Phrase(kind="star", colour="red").among([STAR, FISH, OTHER_STAR]) == [STAR, OTHER_STAR]
    assert Phrase(kind="star", size="small").among([STAR, FISH, OTHER_STAR]) == [STAR]
    assert Phrase().among([]) == []


def test_unique_phrases_name_one_object_each():
    found = dict(unique_phrases([STAR, FISH, OTHER_STAR], [("kind",), ("size", "kind")]))
    assert {phrase.one: item for phrase, item in found.items()} == {
        "fish": FISH,
        "small star": STAR,
        "large fish": FISH,
        "large star": OTHER_STAR,
    }


def test_absent_phrases_fit_nothing_and_avoid_unseen_pairs():
    dice = Dice(np.random.default_rng(0))
    phrases = [absent_phrase([STAR, FISH], ("colour", "kind"), "train", dice) for _ in range(400)]
    assert all(phrase and not phrase.among([STAR, FISH]) for phrase in phrases)
    assert not {(phrase.kind, phrase.colour) for phrase in phrases if phrase} & UNSEEN_PAIRS


def test_absent_phrases_may_name_unseen_pairs_in_their_own_split():
    dice = Dice(np.random.default_rng(0))
    phrases = [absent_phrase([], ("colour", "kind"), "unseen-pairs", dice) for _ in range(400)]
    assert {(phrase.kind, phrase.colour) for phrase in phrases if phrase} & UNSEEN_PAIRS


def test_nothing_is_absent_where_every_value_is_there():
    things = [thing(f"{size} red solid star", (30, 30)) for size in ("small", "medium", "large")]
    assert absent_phrase(things, ("size",), "train", Dice(np.random.default_rng(0))) is None


def test_pairs_are_speakable_unless_held_out():
    kind, colour = next(iter(UNSEEN_PAIRS))
    assert not speakable(kind, colour, "train")
    assert not speakable(kind, colour, "test")
    assert speakable(kind, colour, "unseen-pairs")
    assert speakable(kind, None, "train")
