"""Known classes, phrases, places and examples."""

import pytest

from tests.server.page.conftest import views_of
from visionllm.server.page.finding import MOST_SAMPLES, add_sample, clear_samples, find, find_more, names_of
from visionllm.server.page.words import Told

BOX = '[{"kind": "box", "at": [1, 2, 30, 40]}]'


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "semantic"])
def test_names_are_looked_for(place, task):
    views = views_of(find(place, task, "star, red boat", "", "[]"))
    (job,) = place.service.engine.jobs
    assert (job.task, job.names) == (task, ("star", "red boat"))
    assert "vl-row" in (views[-1].stage or "") and "found" in (views[-1].note or "")


def test_a_phrase_keeps_its_commas_and_a_region_needs_no_names(place):
    views_of(find(place, "refer", "the house, left", "", "[]"))
    views_of(find(place, "regions", "", "", BOX))
    phrase, region = place.service.engine.jobs
    assert phrase.names == ("the house, left",) and region.names == () and len(region.regions) == 1


def test_keypoints_are_those_named(place):
    views_of(find(place, "pose", "person", "nose, hip", "[]"))
    assert place.service.engine.jobs[0].keypoints == ("nose", "hip")


def test_the_sheet_of_examples_is_filled_used_and_cleared(place):
    views = views_of(add_sample(place, "roof", BOX))
    assert "roof" in (views[-1].sheet or "")
    views_of(find_more(place))
    (job,) = place.service.engine.jobs
    assert job.task == "find" and job.examples[0].label == "roof"
    for _ in range(MOST_SAMPLES - 1):
        views_of(add_sample(place, "", BOX))
    with pytest.raises(Told, match="at most 5"):
        views_of(add_sample(place, "", BOX))
    views_of(clear_samples(place))
    with pytest.raises(Told, match="sheet of examples is empty"):
        views_of(find_more(place))


@pytest.mark.faults
@pytest.mark.parametrize(
    ("task", "words", "told"),
    [
        ("detect", " , ", "what to look for"),
        ("refer", "", "what to look for"),
        ("regions", "", "Mark a place first"),
        ("rm -rf", "star", "Choose first"),
        ("detect", ",".join(str(i) for i in range(65)), "at most 64 names"),
    ],
)
def test_what_is_missing_is_said(place, task, words, told):
    with pytest.raises(Told, match=told):
        views_of(find(place, task, words, "", "[]"))
    with pytest.raises(Told, match="Mark the thing first"):
        views_of(add_sample(place, "", "[]"))
    place.session.picture = None
    with pytest.raises(Told, match="no picture yet"):
        views_of(find(place, task, words, "", "[]"))


def test_names_are_kept_once():
    assert names_of("a;b\na, c d ") == ("a", "b", "c d")
