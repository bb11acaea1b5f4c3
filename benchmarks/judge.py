"""The judge of generated pictures: how often it accepts what is right and refuses what differs in one thing."""

from measuring import Measurement
from visionllm.data.world.judging.measuring import Rates, judge_drawing, judge_editing

NAME = "judge"
DRAWINGS, EDITS = 500, 100


def _share(rates: dict[str, Rates], *begins: str) -> float:
    chosen = [rate for name, rate in rates.items() if name.startswith(begins)]
    return sum(rate.right for rate in chosen) / sum(rate.judged for rate in chosen)


def measure() -> list[Measurement]:
    """Judge renders of the test split on plain and gradient grounds."""
    drawing, editing = judge_drawing(range(DRAWINGS)), judge_editing(range(EDITS))
    shares = {
        "judge: right drawings accepted": (_share(drawing, "draw-"), 0.98),
        "judge: … of those with figures": (_share(drawing, "draw-figures"), 0.98),
        "judge: wrong colours refused": (_share(drawing, "wrong colour"), 0.95),
        "judge: wrong kinds refused": (_share(drawing, "wrong kind"), 0.95),
        "judge: wrong numbers refused": (_share(drawing, "wrong count"), 0.95),
        "judge: wrong relations refused": (_share(drawing, "wrong relation"), 0.95),
        "judge: right on plain grounds": (_share(drawing, "plain"), 0.98),
        "judge: right on gradients": (_share(drawing, "gradient"), 0.98),
        "judge: right edits accepted": (_share(editing, "edit-"), 0.98),
        "judge: wrong edits refused": (_share(editing, "nothing done", "another edit"), 0.95),
    }
    return [
        Measurement(name=name, value=100 * share, unit="%", at_least=100 * least)
        for name, (share, least) in shares.items()
    ]
