"""Samples come from seeds, packs share a picture, and the corpus speaks of everything."""

import hashlib
import re
from collections import Counter

import pytest

from tests.data.world.scenes import drawn, picture_of, thing
from visionllm.data.world.scene import COLOURS, KINDS
from visionllm.data.world.tasks import (
    FAMILIES,
    corpus_lines,
    families_about,
    families_of,
    make_sample,
    make_samples,
    phrasing_of,
)
from visionllm.data.world.words import plural

OWED = (
    "caption existence count colour kind fill size relation verify multi-turn chat region-caption region-recognition "
    "region-question region-choice region-compare detect-one detect-several detect-everything detect-nothing "
    "detect-attribute count-with-boxes count-like-marked grounded-caption detect-and-describe known-classes "
    "segment-instances refer-attribute refer-relation refer-ordinal refer-reasoning refer-nothing segment-point "
    "segment-scribble segment-box segment-mask segment-several"
)


def test_all_families_are_found():
    assert set(FAMILIES) == set(OWED.split())


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"expected one of the families .*, caption, .*, got 'sing'"):
        make_sample(drawn(1)[0], "sing", 0)


def test_other_seeds_give_other_samples():
    picture = drawn(3)[2]
    assert len({s.request.messages[0].text for seed in range(20) if (s := make_sample(picture, "count", seed))}) > 5


def test_a_pack_shares_one_image():
    picture = drawn(5)[4]
    pack = make_samples(picture, ("count", "colour", "detect-one"), 0, 8)
    assert len(pack) == 8
    assert len({id(sample.request.pictures[0]) for sample in pack}) == 1
    assert [s.request.messages[0].text for s in pack] == [
        s.request.messages[0].text for s in make_samples(picture, ("count", "colour", "detect-one"), 0, 8)
    ]


def test_a_pack_asks_nothing_twice():
    lonely = picture_of(thing("small red solid star", (20, 20)))
    for seed in range(20):
        texts = [tuple(m.text for m in s.request.messages) for s in make_samples(lonely, ("caption", "count"), seed, 8)]
        assert len(set(texts)) == len(texts)


def test_a_family_named_twice_comes_twice_as_often():
    picked = Counter(
        s.family for i, p in enumerate(drawn(60)) for s in make_samples(p, ("count", "count", "verify"), i, 6)
    )
    assert 1.5 < picked["count"] / picked["verify"] < 2.7


def test_an_impossible_pack_is_short():
    assert make_samples(picture_of(), ("region-compare",), 0, 4) == []
    assert make_samples(drawn(1)[0], ("count",), 0, 0) == []


def test_a_pack_of_no_family_is_refused():
    with pytest.raises(ValueError, match="expected at least one family, got none"):
        make_samples(drawn(1)[0], (), 0, 4)


def test_only_one_split_is_asked_in_unseen_words():
    assert phrasing_of("unseen-phrasing") == "unseen"
    assert {phrasing_of(split) for split in ("train", "test", "crowded")} == {"train"}


def test_the_corpus_has_as_many_lines_as_asked_for():
    assert len(list(corpus_lines(0, 500))) == 500
    assert list(corpus_lines(0, 0)) == []
    both = " ".join(corpus_lines(0, 4000, versions=(1, 2))).lower()
    assert {"star", "horse", "wrist", "lesion", "sign", "remove"} <= set(re.findall(r"[a-z]+", both))
    assert list(corpus_lines(3, 50)) == list(corpus_lines(3, 50))


def test_the_corpus_knows_every_word_of_the_world():
    words = set(re.findall(r"[a-z]+", " ".join(corpus_lines(0, 6000)).lower()))
    assert {*KINDS, *map(plural, KINDS), *COLOURS} <= words


def test_the_corpus_of_version_one_is_what_it_was():
    lines = "\n".join(corpus_lines(3, 300))
    assert hashlib.sha256(lines.encode()).hexdigest()[:12] == "fbb17381a668"


def test_a_corpus_of_both_versions_knows_the_words_of_both():
    words = set(re.findall(r"[a-z]+", " ".join(corpus_lines(0, 1500, versions=(1, 2))).lower()))
    assert {*COLOURS, "caption", "sign", "camouflaged", "wrist", "paw", "lesions", "scratch", "ships", "draw"} <= words


@pytest.mark.parametrize(
    ("versions", "message"), [((), "at least one version, got none"), ((3,), "one of the versions 1, 2, got 3")]
)
def test_a_corpus_of_unknown_versions_is_refused(versions, message):
    with pytest.raises(ValueError, match=message):
        next(corpus_lines(0, 10, versions=versions))


def test_a_negative_corpus_is_refused():
    with pytest.raises(ValueError, match="expected a count of at least 0, got -1"):
        next(corpus_lines(0, -1))


def test_families_about_a_theme_leave_out_those_of_other_themes():
    assert families_about(1, "mixed") == tuple(FAMILIES)
    assert families_about(2, "mixed") == tuple(families_of(2))
    aerial = families_about(2, "aerial")
    assert "aerial-detect" in aerial and "example-count" in aerial
    assert not {"scan-detect", "pose-person", "draw-one", "read-sign"} & set(aerial)
