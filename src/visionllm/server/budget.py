"""Memory that open requests share: each takes its part before it needs it, or is told to come again."""

from threading import Lock

from visionllm.server.errors import busy

RETRY_AFTER_S = 2


class Budget:
    """An amount of which parts are lent.

    Args:
        whole: Everything there is.
    """

    def __init__(self, whole: int) -> None:
        self.whole = self.free = whole
        self.lock = Lock()

    def lease(self) -> "Lease":
        """Return what one request holds of it: nothing yet."""
        return Lease(self)


class Lease:
    """What one request holds of a budget; everything goes back when it ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._held, self._closed = budget, 0, False

    def take(self, amount: int) -> None:
        """Take more.

        Raises:
            ApiError: With status 429, if there is not enough at the moment, or the request has ended.
        """
        budget = self._budget
        with budget.lock:
            enough = amount <= budget.free and not self._closed
            if enough:
                budget.free -= amount
                self._held += amount
        if not enough:
            raise busy(RETRY_AFTER_S)

    def close(self) -> None:
        """Give everything back and take no more."""
        with self._budget.lock:
            self._budget.free += self._held
            self._held, self._closed = 0, True
