"""What `make soak` prints at its end."""

from collections import Counter
from typing import Any

from tests.counts import COUNTS, SOAK, table


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print, for each row of the list of faults, its tests, their seconds and counts; and what a test has to tell."""
    if not SOAK:
        return
    tests: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    told: list[str] = []
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            name = report.nodeid.rpartition("::")[2]
            row = name[5:8] if name[5:6] == "s" and name[6:8].isdigit() else "others"
            tests[row] += report.when == "call"
            failed[row] += outcome != "passed"
            seconds[row] += report.duration
            told += [str(value) for _, value in report.user_properties if report.when == "call"]
    terminalreporter.section("the list of faults")
    terminalreporter.write_line(f"{'row':<8}{'tests':>6}{'failed':>8}{'seconds':>9}")
    for row in sorted(tests):
        terminalreporter.write_line(f"{row:<8}{tests[row]:>6}{failed[row]:>8}{seconds[row]:>9.1f}")
    for line in ("", *table(name for name in COUNTS if name[:3] in tests), "", *told):
        terminalreporter.write_line(line)
