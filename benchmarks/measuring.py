"""How speeds are measured: medians, interleaved pairs of two ways with equal outputs, and cold processes."""

import re
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

OutputT = TypeVar("OutputT")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number and the bound it must keep.

    Attributes:
        name: Such as `"warm ask, 20 tokens"`.
        value: What was measured.
        unit: Such as `"s"`; ratios are `"x"`.
        at_least: Lower bound, or None.
        at_most: Upper bound, or None.

    Raises:
        ValueError: If there is not exactly one bound.
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"expected one bound for {self.name!r}, got {self.at_least} and {self.at_most}")

    @property
    def holds(self) -> bool:
        """Whether the bound is kept; a value that is not a number keeps none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.at_most is not None and self.value <= self.at_most

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    def to_dict(self) -> dict[str, float | str]:
        """Return plain data: value, unit, and the bound under its name."""
        bound = {"at_least": self.at_least, "at_most": self.at_most}
        return {"value": self.value, "unit": self.unit} | {k: v for k, v in bound.items() if v is not None}


def seconds(action: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_seconds(action: Callable[[], object], *, repeats: int = 9) -> float:
    """Return the median time of a call, after two calls that warm it up."""
    action()
    action()
    return statistics.median(seconds(action) for _ in range(repeats))


def speedup(
    slow: Callable[[], OutputT],
    fast: Callable[[], OutputT],
    *,
    require_same: Callable[[OutputT, OutputT], None],
    pairs: int = 7,
) -> float:
    """Return how many times faster `fast` is: the median over pairs that are timed in turn.

    Args:
        slow: The way that is compared against.
        fast: The way that should be faster.
        require_same: Called with both outputs before anything is timed; raises if they differ.
        pairs: Number of pairs, at least five.

    Raises:
        ValueError: If there are too few pairs for a median, or the outputs differ.
    """
    if pairs < 5:
        raise ValueError(f"expected at least 5 pairs, got {pairs}")
    require_same(slow(), fast())
    return statistics.median(seconds(slow) / seconds(fast) for _ in range(pairs))


@dataclass(frozen=True, kw_only=True)
class ColdRun:
    """What a fresh process took: seconds of wall-clock time, and megabytes of memory at its peak."""

    seconds: float
    peak_mb: float


def cold_run(command: Sequence[str], *, folder: Path) -> ColdRun:
    """Run a command in a fresh process.

    Raises:
        ValueError: If it fails.
    """
    start, peak_kb = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak_kb = max(peak_kb, _peak_kb(process.pid))
            time.sleep(0.005)
    if process.returncode:
        raise ValueError(f"expected {' '.join(command)!r} to succeed, got exit code {process.returncode}")
    return ColdRun(seconds=time.perf_counter() - start, peak_mb=peak_kb * 1024 / 1e6)


def _peak_kb(pid: int) -> int:
    """Ask the kernel; the peak that `wait4` reports would include the memory of this process, from before the exec."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak[1]) if peak else 0  # a process that has just ended has no memory any more


def median_cold_run(command: Sequence[str], *, folder: Path, repeats: int = 5) -> ColdRun:
    """Return the median time and the highest peak of several fresh processes, after one that fills the file cache."""
    cold_run(command, folder=folder)
    runs = [cold_run(command, folder=folder) for _ in range(repeats)]
    return ColdRun(seconds=statistics.median(r.seconds for r in runs), peak_mb=max(r.peak_mb for r in runs))
