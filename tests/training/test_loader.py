"""Batches come in the order of their steps."""

import pytest

from tests.training.toy import Points
from visionllm.training.loader import batches


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_step_order(workers):
    assert [index for index, _, _ in batches(Points(), 3, 9, workers=workers)] == [3, 4, 5, 6, 7, 8]


def test_an_empty_range_has_no_batches():
    assert list(batches(Points(), 3, 3, workers=0)) == []
