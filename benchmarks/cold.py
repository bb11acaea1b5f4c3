"""From a cold process: the help, and an answer with its peak of memory."""

import sys
import tempfile
from pathlib import Path

from measuring import Measurement, median_cold_run

NAME = "cold"
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def measure() -> list[Measurement]:
    """Start the command line anew each time, from the interpreter that runs this."""
    command = str(Path(sys.executable).with_name("visionllm"))
    question = [command, "run", "Detect every red star.", str(EXAMPLES / "stars.png"), "--out", "found.png"]
    with tempfile.TemporaryDirectory() as folder:
        help_page = median_cold_run([command, "--help"], folder=Path(folder))
        answer = median_cold_run(question, folder=Path(folder))
    return [
        Measurement(name="cold help", value=help_page.seconds, unit="s", at_most=0.5),
        Measurement(name="cold run", value=answer.seconds, unit="s", at_most=8),
        Measurement(name="cold run, peak memory", value=answer.peak_mb / 1000, unit="GB", at_most=0.9),
    ]
