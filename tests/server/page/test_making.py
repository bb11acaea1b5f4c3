"""New pictures and changed ones."""

import pytest

from tests.server.page.conftest import views_of
from visionllm.server.page.making import edit, make, options_of
from visionllm.server.page.words import Told


def test_a_picture_is_made_with_its_seed_and_steps(place):
    views = views_of(make(place, "a star", 7, 12))
    (job,) = place.service.engine.jobs
    assert (job.words, job.options.seed, job.options.steps, job.image) == ("a star", 7, 12, None)
    assert any("Step 1 of 2" in (view.note or "") for view in views)
    assert "data:image/png" in (views[-1].made or "") and "seed 7" in (views[-1].note or "")
    assert place.session.made.size == (8, 8)


def test_a_picture_is_changed_where_it_is_marked(place):
    views_of(edit(place, "make it blue", 0, 5, '[{"kind": "box", "at": [1, 2, 30, 40]}]'))
    (job,) = place.service.engine.jobs
    assert job.image is place.session.picture and len(job.regions) == 1


@pytest.mark.faults
@pytest.mark.parametrize(
    ("seed", "steps", "told"),
    [(None, 5, "seed"), (-1, 5, "seed"), (2**31, 5, "seed"), (0.5, 5, "seed"), (0, 0, "steps"), (0, None, "steps")],
)
def test_numbers_out_of_range_are_refused(seed, steps, told):
    with pytest.raises(Told, match=told):
        options_of(seed, steps)


@pytest.mark.faults
def test_what_is_missing_is_said(place):
    with pytest.raises(Told, match="what the picture should show"):
        views_of(make(place, " ", 0, 5))
    with pytest.raises(Told, match="at most 4000"):
        views_of(make(place, "x" * 4001, 0, 5))
    place.session.picture = None
    with pytest.raises(Told, match="no picture yet"):
        views_of(edit(place, "blue", 0, 5, "[]"))
