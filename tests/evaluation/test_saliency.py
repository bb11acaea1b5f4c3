"""Measures of soft masks, against what the library of the field (pysodmetrics 1.6.2) gives."""

import numpy as np
import pytest

from visionllm.evaluation.saliency import e_measure, mean_absolute_error, s_measure, weighted_f

MEASURES = (s_measure, weighted_f, e_measure)


def case(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :32]
    truth = np.hypot(x - 12 - seed, y - 11) < 7
    found = np.clip(np.exp(-((x - 14) ** 2 + (y - 12) ** 2) / 60) + rng.uniform(-0.2, 0.2, truth.shape), 0, 1)
    return np.round((found - found.min()) / (found.max() - found.min()) * 255) / 255, truth


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, (0.7531568677282325, 0.5210964056509514, 0.6356259258758599, 0.19888174019607843)),
        (5, (0.7184998477109383, 0.49375902993955295, 0.615918780259484, 0.2072201797385621)),
    ],
)
def test_the_numbers_are_those_of_the_library(seed, expected):
    found, truth = case(seed)
    assert [measure(found, truth) for measure in (*MEASURES, mean_absolute_error)] == pytest.approx(expected)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_truth_scores_one_and_its_opposite_next_to_nothing(measure):
    _, truth = case(0)
    assert measure(truth.astype(float), truth) == pytest.approx(1.0)
    assert measure(1 - truth, truth) < 0.05


@pytest.mark.parametrize("measure", MEASURES)
def test_finding_nothing_is_worse_than_a_rough_mask(measure):
    found, truth = case(0)
    assert measure(np.zeros_like(found), truth) < measure(found, truth)


def test_a_mask_that_fills_the_picture_is_compared_by_its_mean():
    full = np.ones((4, 6), dtype=bool)
    half = np.full((4, 6), 0.25)
    assert s_measure(half, full) == pytest.approx(0.25)
    assert e_measure(full.astype(float), full) == e_measure(np.zeros((4, 6)), ~full) == 1.0


def test_a_single_pixel_has_no_spread():
    truth = np.zeros((5, 7), dtype=bool)
    truth[2, 3] = True
    assert s_measure(truth.astype(float), truth) == pytest.approx(1.0)
