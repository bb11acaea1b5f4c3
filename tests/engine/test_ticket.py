import asyncio
import threading

import pytest

from visionllm.engine import Cancelled, Event, Failed, Finished, Progress, SlowReader, TextPiece, Ticket
from visionllm.engine.events import size_of
from visionllm.types import Answer

ANSWER = Answer(text="Two.")
ONE, TWO = TextPiece("One"), TextPiece(" two")


def ticket(most: int = 1000) -> Ticket:
    return Ticket("job", most)


def test_events_come_in_order_and_end_with_the_last():
    some = ticket()
    for event in (ONE, Progress(1, 2), TWO):
        some.push(event)
    assert some.end(Finished(ANSWER)) and some.done
    some.push(ONE)
    assert not some.end(Failed(Cancelled()))
    kinds = [type(event) for event in some]
    assert kinds == [TextPiece, Progress, TextPiece, Finished]
    assert some.result(0) is ANSWER
    assert [type(event) for event in some] == [Finished], "events are read once"


def test_a_reader_waits_for_what_comes():
    some, seen = ticket(), []
    reader = threading.Thread(target=lambda: seen.extend(some))
    reader.start()
    some.push(ONE)
    some.end(Finished(ANSWER))
    reader.join(5)
    assert [type(event) for event in seen] == [TextPiece, Finished]


def test_a_result_that_does_not_come_is_not_waited_for():
    with pytest.raises(TimeoutError, match=r"expected job job to end within 0\.01 s"):
        ticket().result(0.01)


def test_who_wants_the_result_only_keeps_no_events():
    some = ticket(size_of(ONE))
    some.push(ONE)
    with pytest.raises(TimeoutError):
        some.result(0)
    for _ in range(100):
        some.push(TWO)
    some.end(Finished(ANSWER))
    assert some.result() is ANSWER
    assert [type(event) for event in some] == [Finished]


def test_a_reader_that_is_too_slow_fails_the_job():
    some = ticket(2 * size_of(TWO))
    reader = iter(some)
    some.push(ONE)
    assert next(reader) == ONE
    for _ in range(2):
        some.push(TWO)
    assert not some.done
    some.push(TWO)
    assert some.done
    (last,) = reader
    assert isinstance(last, Failed) and isinstance(last.error, SlowReader)
    with pytest.raises(SlowReader, match=f"expected at most {2 * size_of(TWO)} bytes of unread events"):
        some.result()


def test_events_that_nobody_began_to_read_are_lost_and_the_result_is_not():
    some = ticket(size_of(ONE))
    some.push(ONE)
    some.push(ONE)
    assert not some.done
    some.end(Finished(ANSWER))
    assert some.result() is ANSWER
    (last,) = some
    assert isinstance(last, Failed) and isinstance(last.error, SlowReader)


def test_a_cancelled_job_ends_at_once_and_wakes_the_engine_once():
    woken: list[bool] = []
    some = Ticket("job", 100, lambda: woken.append(True))
    some.cancel()
    some.cancel()
    assert woken == [True]
    with pytest.raises(Cancelled, match="the job was cancelled"):
        some.result()


def test_a_loop_follows_what_another_thread_tells():
    some = ticket()

    async def follow() -> tuple[list[Event], object]:
        threading.Timer(0.02, lambda: (some.push(ONE), some.end(Finished(ANSWER)))).start()
        return [event async for event in some], await some.wait()

    events, result = asyncio.run(follow())
    assert [type(event) for event in events] == [TextPiece, Finished] and result is ANSWER


def test_a_loop_may_stop_waiting():
    some = ticket()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(some.wait(), 0.01)

    asyncio.run(give_up())
    assert not some._waiters
    some.end(Finished(ANSWER))


def test_a_loop_hears_of_failures():
    failed = ticket()
    failed.cancel()

    async def wait() -> object:
        return await failed.wait()

    with pytest.raises(Cancelled):
        asyncio.run(wait())
