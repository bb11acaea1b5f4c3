"""Measures the speeds: `python benchmarks/run.py [NAME...] [--json FILE]`."""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from measuring import Measurement

Benchmark = Callable[[], list[Measurement]]


def discover(folder: Path) -> dict[str, Benchmark]:
    """Return the benchmarks of a folder by name: modules that define `NAME` and `measure`."""
    modules = [importlib.import_module(f.stem) for f in sorted(folder.glob("*.py")) if f.stem != Path(__file__).stem]
    return {m.NAME: m.measure for m in modules if hasattr(m, "NAME")}


def table(measurements: Sequence[Measurement]) -> Table:
    """Return the measurements as a table."""
    found = Table("what", "value", "unit", "bound", "")
    for m in measurements:
        found.add_row(m.name, f"{m.value:.3g}", m.unit, m.bound, "[green]kept" if m.holds else "[red]broken")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; return 1 if a bound is broken."""
    benchmarks = discover(Path(__file__).parent)
    parser = argparse.ArgumentParser(description="Measure the speeds of visionllm, each against its bound.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(benchmarks)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write {name: {value, unit, at_least or at_most}}")
    wanted = parser.parse_args(arguments)
    unknown = [name for name in wanted.names if name not in benchmarks]
    if unknown:
        parser.error(f"expected names out of {', '.join(benchmarks)}, got {', '.join(unknown)}")
    measurements = []
    with Console(stderr=True).status("") as status:
        for name in wanted.names or benchmarks:
            status.update(f"measuring {name}")
            measurements += benchmarks[name]()
    Console().print(table(measurements))
    if wanted.json:
        wanted.json.write_text(
            json.dumps({m.name: m.to_dict() for m in measurements}, indent=2) + "\n", encoding="utf-8"
        )
    return 0 if all(m.holds for m in measurements) else 1


if __name__ == "__main__":
    sys.exit(main())
