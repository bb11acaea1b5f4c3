"""Fill the tables in docs/scores.md from what an evaluation wrote.

visionllm eval world --split test --seed 1 --pictures 60 --json scores.json
visionllm eval world --version 2 --seed 1 --pictures 40 --json second.json
python docs/score_table.py scores.json second.json

Scores of version 2 fill a table of their own, with a row for whatever was measured.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionllm.evaluation.targets import WANTED

PAGE = Path(__file__).with_name("scores.md")
BEGINS = ("<!-- scores: visionllm eval world -->\n", "<!-- scores: visionllm eval world --version 2 -->\n")
END = "<!-- end of the scores -->"
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
    ("boxes in the second turn, words and boxes right", "multi-turn with boxes", "both_free"),
)
SECOND = (
    ("pose of people, OKS-AP", "pose-person", "oks_ap_known"),
    ("pose of animals, OKS-AP", "pose-animals", "oks_ap_known"),
    ("pose, PCK@0.2", "pose", "pck_known"),
    ("semantic map, mIoU, free", "segment-semantic", "miou_free"),
    ("salient object, S-measure, free", "segment-salient", "s_measure_free"),
    ("… MAE", "segment-salient", "mae_free"),
    ("camouflaged object, S-measure, free", "segment-camouflaged", "s_measure_free"),
    ("draw: kind and colour right, free", "draw", "kind_and_colour_free"),
    ("draw: counts and relations right, free", "draw", "count_and_relation_free"),
    ("edit: done as told, free", "edit", "done_free"),
    ("edit: PSNR outside the edit, dB, free", "edit", "psnr_outside_free"),
    ("by example: name it", "example-name", "exact"),
    ("by example: mark it, mIoU", "example-mark", "miou_free"),
    ("read a sign", "read-sign", "exact"),
    ("aerial, talk relative to test", "aerial", "talk_relative"),
    ("… box AP relative to test", "aerial", "box_ap_relative_known"),
    ("scan, talk relative to test", "scan", "talk_relative"),
    ("… box AP relative to test", "scan", "box_ap_relative_known"),
    ("workpiece, talk relative to test", "workpiece", "talk_relative"),
    ("… box AP relative to test", "workpiece", "box_ap_relative_known"),
    ("routing in version 2", "routing-2", "right"),
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
    target = next((t for t in WANTED if (t.family, t.score) == (family, plain)), None)
    wanted, mark = ("reported", "") if target is None else (str(target), "✓" if target.met(value) else "✗")
    return f"| {label} | {value:.3f} | {low:.3f} – {high:.3f} | {wanted} | {mark} |\n"


def filled(page: str, found: Mapping[str, Any]) -> str:
    """Return the page with the table renewed that the scores belong to: that of version 1 if talk was scored."""
    first = "talk" in found
    rows = ROWS if first else tuple(names for names in SECOND if names[2] in found.get(names[1], {}))
    table = "| score | value | 95 % interval | wanted | |\n|---|--:|---|--:|---|\n"
    table += "".join(row(*names, found) for names in rows)
    begin = BEGINS[0 if first else 1]
    before, rest = page.split(begin)
    return before + begin + table + END + rest.split(END, 1)[1]


def main(path: Path) -> None:
    """Rewrite a table."""
    found = json.loads(path.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        main(Path(name))
