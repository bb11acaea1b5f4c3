import pytest

from visionllm.engine.outcome import Attempt, Outcome, each


def test_an_attempt_keeps_errors_and_lets_the_end_of_the_program_pass():
    with Attempt() as attempt:
        raise ValueError("no")
    assert str(attempt.error) == "no"
    with Attempt() as attempt:
        pass
    assert attempt.error is None
    with pytest.raises(KeyboardInterrupt), Attempt():
        raise KeyboardInterrupt


def test_only_the_guilty_items_of_a_batch_fail():
    tried: list[list[int]] = []

    def work(items):
        tried.append(list(items))
        if 2 in items:
            raise ValueError("two")
        return [10 * item for item in items]

    outcomes = each([1, 2, 3], work)
    assert [o.error is None for o in outcomes] == [True, False, True]
    assert (outcomes[0].value, outcomes[2].value) == (10, 30)
    with pytest.raises(ValueError, match="two"):
        _ = outcomes[1].value
    assert tried == [[1, 2, 3], [1], [2], [3]]
    tried.clear()
    assert [o.value for o in each([1, 3], work)] == [10, 30]
    assert tried == [[1, 3]], "a batch that goes well is tried once"
    assert each([], work) == []


def test_a_value_may_be_none():
    assert Outcome[None]().value is None
