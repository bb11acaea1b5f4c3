"""Scores, their intervals, and ratios kept picture by picture."""

import math

import numpy as np
import pytest

from visionllm.evaluation.intervals import Score, Tally, bootstrap, least_of, mean_of, resamples


def tally_of(*pairs, pictures=4):
    tally = Tally(pictures)
    for picture, part, whole in pairs:
        tally.add(picture, part, whole)
    return tally


def test_a_tally_divides_the_sum_of_parts_by_the_sum_of_wholes():
    assert tally_of((0, 1, 2), (1, 2, 2), (1, 0, 2))(np.ones(4)) == 0.5


def test_a_picture_that_was_not_drawn_does_not_count():
    assert tally_of((0, 1, 1), (1, 0, 1))(np.array([2.0, 0, 0, 0])) == 1.0


def test_a_tally_of_nothing_is_undefined():
    assert math.isnan(Tally(2)(np.ones(2)))


def test_every_draw_holds_as_many_pictures_as_there_are():
    draws = resamples(7, draws=20, seed=3)
    assert draws.shape == (20, 7)
    assert (draws.sum(axis=1) == 7).all()


def test_one_seed_gives_one_set_of_draws():
    assert np.array_equal(resamples(9, draws=5, seed=1), resamples(9, draws=5, seed=1))
    assert not np.array_equal(resamples(9, draws=5, seed=1), resamples(9, draws=5, seed=2))


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="expected at least one picture, got 0"):
        resamples(0, draws=3)


def test_the_interval_of_a_coin_is_that_of_the_binomial():
    tally = Tally(400)
    for picture in range(400):
        tally.add(picture, picture % 2)
    score = bootstrap(tally, resamples(400, draws=2000))
    assert score.value == 0.5
    assert (score.low, score.high) == pytest.approx((0.451, 0.549), abs=0.006)


def test_without_draws_there_is_no_interval():
    assert bootstrap(tally_of((0, 1, 1)), resamples(4, draws=0)) == Score(value=1.0)


def test_an_undefined_score_has_no_value():
    assert bootstrap(Tally(4), resamples(4, draws=5)) == Score(value=None)


def test_draws_on_which_a_score_is_undefined_are_left_out():
    score = bootstrap(tally_of((0, 1, 2)), np.array([[0.0, 1], [1, 0]]) @ np.eye(2, 4))
    assert (score.value, score.low, score.high) == (0.5, 0.5, 0.5)


def test_means_and_least_values_pass_over_what_is_undefined():
    some = [tally_of((0, 1, 2)), tally_of((0, 1, 1)), Tally(4)]
    assert mean_of(some)(np.ones(4)) == 0.75
    assert least_of(some)(np.ones(4)) == 0.5
    assert math.isnan(mean_of([Tally(4)])(np.ones(4)))
