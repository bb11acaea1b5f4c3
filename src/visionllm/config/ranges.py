"""Checks that frozen configurations share: numbers in their ranges, names among their choices."""

import math
from typing import Any

Ranges = tuple[tuple[tuple[str, ...], float, float], ...]


class Checked:
    """A configuration whose fields can be checked by name."""

    def _check_ranges(self, ranges: Ranges) -> None:
        for names, low, high in ranges:
            for name in names:
                value: Any = getattr(self, name)
                if not low <= value <= high:
                    limits = f"in [{low}, {high}]" if high < math.inf else f">= {low}"
                    raise ValueError(f"expected {name} {limits}, got {value}")

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        if getattr(self, name) not in choices:
            raise ValueError(f"expected {name} to be one of {choices}, got {getattr(self, name)!r}")
