"""How often each fault is tried: a few times in CI, as often as the list of faults asks with `VISIONLLM_SOAK=1`.

`python -m tests.counts` prints the table, and so does the end of `make soak`.
"""

import os
import sys
from collections.abc import Iterable
from typing import NamedTuple

SOAK = os.environ.get("VISIONLLM_SOAK") == "1"


class Count(NamedTuple):
    """How often something is tried, in CI and by `make soak`; `of` says what."""

    few: int
    many: int
    of: str


COUNTS = {
    "s01": Count(3, 50, "rounds of 100 requests for 10 places"),
    "s02": Count(10, 100, "servers stopped under load"),
    "s02 process": Count(1, 20, "processes stopped under load by a signal"),
    "s03": Count(30, 1000, "jobs cancelled in an engine"),
    "s03 client": Count(20, 1000, "clients that leave a server"),
    "s07": Count(40, 40, "picture files, at least"),
    "s08": Count(60, 60, "URLs, at least"),
    "s10": Count(1000, 10_000, "strings encoded"),
    "s10 asked": Count(60, 600, "strings sent and echoed"),
    "s20": Count(30, 1000, "pictures of equal bytes"),
    "s21": Count(1000, 100_000, "random requests"),
    "s22": Count(25, 780, "seconds of mixed tasks"),
    "s23": Count(8, 32, "clients that stop reading"),
}
"""By row, and by what is counted where a row has several."""


def count(name: str) -> int:
    """Return how often something is tried in this run; `VISIONLLM_SOAK_SECONDS` sets another length of the soak."""
    if name == "s22" and "VISIONLLM_SOAK_SECONDS" in os.environ:
        return int(os.environ["VISIONLLM_SOAK_SECONDS"])
    return COUNTS[name].many if SOAK else COUNTS[name].few


def table(names: Iterable[str] = COUNTS) -> list[str]:
    """Return the counts as lines: the row, CI's, those of `make soak`, and of what."""
    head = f"{'row':<12}{'CI':>8}{'soak':>9}  of"
    return [head, *(f"{name:<12}{few:>8,}{many:>9,}  {of}" for name in names for few, many, of in [COUNTS[name]])]


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
