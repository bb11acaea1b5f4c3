"""Memory that is lent and comes back."""

import pytest

from visionllm.server.budget import Budget
from visionllm.server.errors import ApiError


def test_what_is_lent_comes_back_once():
    budget = Budget(10)
    lease = budget.lease()
    lease.take(4)
    lease.take(5)
    assert budget.free == 1
    lease.close()
    lease.close()
    assert budget.free == 10


def test_who_wants_too_much_is_told_to_come_again_and_gets_nothing():
    budget = Budget(10)
    lease = budget.lease()
    with pytest.raises(ApiError, match="too many requests wait already") as refused:
        lease.take(11)
    assert refused.value.status_code == 429
    assert budget.free == 10


def test_a_request_that_has_ended_takes_nothing_more():
    budget = Budget(10)
    lease = budget.lease()
    lease.close()
    with pytest.raises(ApiError):
        lease.take(1)
    assert budget.free == 10
