"""Asks the embedded model about the drawings in examples/, and writes which answers are right into their README.

    python docs/example_answers.py

True answers are words, or the middle of each thing that should be found; they say what the drawings show. An answer
that finds things is right if its boxes are as many as the things, and each thing's middle lies in a box of its own.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from visionllm import Answer, VisionLLM
from visionllm.processing import open_picture

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BEGIN, END = "<!-- answers: python docs/example_answers.py -->", "<!-- end of the answers -->"


def is_right(answer: Answer, truth: str | Sequence[Sequence[float]]) -> bool:
    """Tell whether an answer says the true words, or finds the things with these middles and nothing else."""
    if isinstance(truth, str):
        return answer.text == truth
    boxes = [instance.box for instance in answer.instances]
    if len(boxes) != len(truth):
        return False
    for x, y in truth:
        around = next((box for box in boxes if box[0] <= x <= box[2] and box[1] <= y <= box[3]), None)
        if around is None:
            return False
        boxes.remove(around)
    return True


def shown(answer: Answer) -> str:
    """Return an answer as a cell of a table."""
    things = len(answer.instances)
    return answer.text if answer.detections is None else f"{answer.text} ({things} found)"


def main() -> None:
    """Ask everything and fill the table."""
    model = VisionLLM.load()
    rows, right = [], 0
    for name, questions in json.loads((EXAMPLES / "answers.json").read_text(encoding="utf-8")).items():
        picture = open_picture(EXAMPLES / name)
        for question, truth in questions.items():
            answer = model.ask(question, picture)
            good = is_right(answer, truth)
            right += good
            rows.append(f"| `{name}` | {question} | {shown(answer)} | {'✓' if good else '✗'} |")
    head = [f"{right} of {len(rows)} answers are right.", "", "| picture | question | answer | |", "|---|---|---|---|"]
    readme = EXAMPLES / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    readme.write_text("\n".join([before + BEGIN, *head, *rows, END + after]), encoding="utf-8")
    sys.stdout.write(f"{head[0]}\n")


if __name__ == "__main__":
    main()
