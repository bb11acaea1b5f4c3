"""The one place that catches whatever the model raises: it is an outcome of a job, not a fault of the engine."""

import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
ValueT = TypeVar("ValueT")


class Attempt:
    """A block of work that may fail; afterwards `error` says how.

    >>> with Attempt() as attempt:
    ...     _ = 1 / 0
    >>> attempt.error
    ZeroDivisionError('division by zero')
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        traceback.clear_frames(trace)  # they would keep the batch's tensors for as long as the error lives
        self.error = error
        return True


class Outcome(Generic[ValueT]):
    """What became of one item: a value, or the error that took its place."""

    def __init__(self, value: ValueT | None = None, error: Exception | None = None) -> None:
        self._value, self.error = value, error

    @property
    def value(self) -> ValueT:
        """The value; raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self._value  # pyright: ignore[reportReturnType] – there is a value where there is no error


def each(items: Sequence[ItemT], work: Callable[[Sequence[ItemT]], Sequence[ValueT]]) -> list[Outcome[ValueT]]:
    """Work on items together; if that fails, on each alone, so that only the guilty ones fail.

    Args:
        items: A batch.
        work: Returns one value an item. It changes nothing that a second try would change again.

    >>> [outcome.error for outcome in each([1, 0], lambda items: [1 // item for item in items])]
    [None, ZeroDivisionError('integer division or modulo by zero')]
    """
    if not items:
        return []
    with Attempt() as attempt:
        return [Outcome(value) for value in work(items)]
    if len(items) == 1:
        return [Outcome(error=attempt.error)]
    return [outcome for item in items for outcome in each([item], work)]
