"""The pictures of a step, and what is asked about them."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from visionllm.recipes.tiny_stages import LANGUAGE
from visionllm.training.questions import Questions

BOTH = {"count": 1.0, "read-sign": 2.0, "pose-some": 1.0, "scan-count": 1.0, "edit-move": 1.0, "draw-one": 1.0}


def questions(mixture, **options):
    return Questions(mixture, **({"pictures": 4, "questions": 6, "seed": 8, "photos": False} | options))


def text_of(rows):
    return "\n".join(m.text for _, samples in rows for s in samples for m in (*s.request.messages, s.answer))


def test_mixtures_of_version_one_ask_what_they_asked_before_there_was_another():
    rows = questions(LANGUAGE).rows(3)
    assert hashlib.sha256(text_of(rows).encode()).hexdigest()[:12] == "a61ed7768d54"
    found = hashlib.sha256()
    for picture, _ in rows:
        found.update(str(picture.pixels.shape).encode())
        found.update(np.ascontiguousarray(picture.pixels).tobytes())
    assert found.hexdigest()[:12] == "e66a42725971"


def test_a_step_depends_on_its_number_alone():
    drawn = questions(BOTH)
    assert text_of(drawn.rows(2)) == text_of(drawn.rows(2)) != text_of(drawn.rows(3))
    assert text_of(drawn.rows(2)) != text_of(drawn.rows(2, split="validation"))


def test_pictures_are_of_the_themes_of_their_families():
    mixture = {"count": 1.0, "scan-count": 3.0}
    rows = questions(mixture, pictures=200, questions=1).rows(0)
    themes = Counter((picture.scene.version, picture.scene.theme) for picture, _ in rows)
    assert set(themes) == {(1, "mixed"), (2, "scan")}
    assert 0.65 < themes[2, "scan"] / sum(themes.values()) < 0.85
    for picture, samples in rows:
        assert {s.family for s in samples} == {"count" if picture.scene.version == 1 else "scan-count"}


def test_families_of_similar_themes_ask_where_what_they_are_for_is_there():
    mixture = {"read-all": 1.0, "pose-several": 1.0, "segment-semantic": 1.0, "scan-count": 0.0}
    seen = Counter()
    for picture, samples in questions(mixture, pictures=80).rows(1):
        scene = picture.scene
        asked = {s.family for s in samples}
        seen.update((scene.theme, family) for family in asked)
        if scene.theme != "signs" and not scene.signs:
            assert "read-all" not in asked
        if scene.theme != "figures" and not scene.figures:
            assert "pose-several" not in asked
    assert seen["mixed", "read-all"]
    assert seen["signs", "read-all"] > seen["mixed", "read-all"]
    assert seen["mixed", "pose-several"]
    assert seen["figures", "segment-semantic"]


def test_questions_without_a_picture_and_those_with_several_have_rows_of_their_own():
    counts = Counter()
    mixture = {"draw-one": 1.0, "edit-recolour": 1.0, "example-name": 1.0, "segment-semantic": 1.0}
    for picture, samples in questions(mixture, pictures=12).rows(0):
        shown = {len(s.request.pictures) for s in samples}
        counts[min(*shown, 2)] += 1
        assert len(shown) == 1
        if shown == {1}:
            assert all(s.request.pictures[0] is samples[0].request.pictures[0] for s in samples)
        if min(shown) > 1:
            assert len(samples) == 1
            assert (np.asarray(samples[0].request.pictures[-1]) == picture.pixels).all()
    assert set(counts) == {0, 1, 2}


def test_pictures_of_the_studio_have_one_size():
    rows = questions({"draw-one": 1.0, "edit-background": 1.0}, pictures=30).rows(0)
    assert {picture.scene.size_hw for picture, _ in rows} == {(128, 128)}


def test_versions_are_those_with_a_weight():
    assert questions(BOTH).versions == (1, 2)
    assert questions({"count": 1.0, "read-sign": 0.0}).versions == (1,)


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"expected task families among .*, edit-only-one, got nose"):
        questions({"nose": 1.0})


@pytest.mark.parametrize("mixture", [{}, {"count": 0.0}])
def test_a_mixture_without_a_weight_is_refused(mixture):
    with pytest.raises(ValueError, match="expected a task family with a weight above 0, got"):
        questions(mixture)
