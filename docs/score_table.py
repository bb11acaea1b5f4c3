"""Fill the table in docs/scores.md from what an evaluation wrote.

visionllm eval world --split test --seed 1 --pictures 60 --json scores.json
python docs/score_table.py scores.json
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionllm.evaluation.targets import FIRST

PAGE = Path(__file__).with_name("scores.md")
BEGIN, END = "<!-- scores: visionllm eval world -->\n", "<!-- end of the scores -->"
ROWS = (
    ("talk, exact match over all families", "talk", "exact"),
    ("talk, the weakest family above its majority answer", "talk", "weakest_margin"),
    ("caption, F1 over stated facts", "caption", "f1"),
    ("region recognition", "region-recognition", "exact"),
    ("region caption", "region-caption", "exact"),
    ("box AP, all 20 kinds listed", "detect", "box_ap_known"),
    ("box AP50", "detect", "box_ap50_known"),
    ("mask AP", "detect", "mask_ap_known"),
    ("attribute prompts, class-agnostic AP", "attribute", "box_ap_known"),
    ("absent classes: false positives a picture at recall 0.80", "absent", "false_positives_known"),
    ("refer P@.5, free", "refer", "p50_free"),
    ("refer cIoU, free", "refer", "ciou_free"),
    ("refusal of phrases that fit nothing, free", "refer", "refusal_free"),
    ("point to segment, mIoU: point", "point", "miou_point_known"),
    ("… scribble", "point", "miou_scribble_known"),
    ("… box", "point", "miou_box_known"),
    ("… mask", "point", "miou_mask_known"),
    ("routing: the right decoder, or none", "routing", "right"),
    ("grounded caption, words and boxes right", "grounded-caption", "both_free"),
    ("detect and describe, words and boxes right", "detect-and-describe", "both_free"),
)


def row(label: str, family: str, score: str, found: Mapping[str, Any]) -> str:
    """Return one line of the table.

    Raises:
        ValueError: If the evaluation has no such score.
    """
    if score not in found.get(family, {}):
        raise ValueError(f"expected the score {score} of {family}, got {', '.join(found.get(family, {})) or 'none'}")
    value, low, high = (found[family][name] for name in (score, f"{score}_low", f"{score}_high"))
    plain = score.removesuffix("_known").removesuffix("_free")
    target = next((t for t in FIRST if (t.family, t.score) == (family, plain)), None)
    wanted, mark = ("reported", "") if target is None else (str(target), "✓" if target.met(value) else "✗")
    return f"| {label} | {value:.3f} | {low:.3f} – {high:.3f} | {wanted} | {mark} |\n"


def main(path: Path) -> None:
    """Rewrite the table."""
    found = json.loads(path.read_text(encoding="utf-8"))
    table = "| score | value | 95 % interval | wanted | |\n|---|--:|---|--:|---|\n"
    table += "".join(row(*names, found) for names in ROWS)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + table + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
