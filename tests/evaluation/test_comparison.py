"""Two models on the same questions."""

import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from visionllm.evaluation.comparison import Comparison, difference
from visionllm.evaluation.evaluate import evaluate_setting
from visionllm.evaluation.intervals import Score, Tally, bootstrap, resamples
from visionllm.evaluation.report import Report
from visionllm.evaluation.world import WorldSetting
from visionllm.types import Answer


def report(values: Any, **fields: Any) -> Any:
    scores = {"talk": values, "absent": {"false_positives_known": Score(value=None)}}
    how = {"split": "test", "seed": 1, "pictures": 9, "seconds": 1.0, "library": "x"}
    return Report(scores=scores, **(how | fields))


def tally(rights):
    kept = Tally(len(rights))
    for picture, right in enumerate(rights):
        kept.add(picture, right)
    return kept


def test_pairing_takes_out_what_is_hard_for_both():
    rng, draws = np.random.default_rng(0), resamples(400, draws=200)
    hard = rng.random(400) < 0.5
    one: Any = bootstrap(tally(hard | (rng.random(400) < 0.1)), draws)
    other: Any = bootstrap(tally(hard), draws)
    paired: Any = difference(one, other)
    assert paired.value == pytest.approx(one.value - other.value)
    assert 0 < paired.low <= paired.value <= paired.high
    assert one.low < other.high  # apart, the intervals overlap
    assert paired.high - paired.low < (one.high - one.low) / 2


def test_the_same_scores_differ_by_nothing():
    score = bootstrap(tally([1, 0, 1]), resamples(3, draws=9))
    assert difference(score, score) == Score(value=0.0, low=0.0, high=0.0)


def test_what_is_not_defined_or_has_no_interval_says_so():
    assert difference(Score(value=None), Score(value=1.0)) == Score(value=None)
    assert difference(Score(value=0.5), Score(value=0.25)) == Score(value=0.25)


def test_differences_are_the_first_minus_the_second(tmp_path):
    better, worse = (report({"exact": Score(value=v), "majority": Score(value=0.1)}) for v in (0.75, 0.5))
    comparison = Comparison({"new": better, "old": worse})
    assert comparison.differences()["talk"] == {"exact": Score(value=0.25)}
    comparison.write(tmp_path / "differences.json")
    plain = json.loads((tmp_path / "differences.json").read_text())
    assert plain["models"] == ["new", "old"]
    assert plain["differences"]["talk"]["exact"] == {"difference": 0.25, "low": None, "high": None}
    assert plain["differences"]["absent"]["false_positives_known"]["difference"] is None
    assert plain["reports"]["old"]["talk"]["exact"] == 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["differences.json"]


def test_the_table_names_both_models_and_the_difference():
    scores = [bootstrap(tally(rights), resamples(4, draws=9)) for rights in ([1, 1, 1, 1], [1, 1, 0, 0])]
    console = Console(width=160)
    with console.capture() as capture:
        console.print(Comparison({"new": report({"exact": scores[0]}), "old": report({"exact": scores[1]})}).table())
    line = next(line for line in capture.get().splitlines() if "talk" in line)
    assert [cell.strip() for cell in line.split("│")[1:5]] == ["talk", "exact", "1.000", "0.500"]
    assert "+0.500" in line


def test_other_pictures_or_another_number_of_models_are_refused():
    with pytest.raises(ValueError, match="expected the reports of two models, got 1"):
        Comparison({"new": report({})})
    with pytest.raises(ValueError, match="expected reports about the same pictures"):
        Comparison({"new": report({}), "old": report({}, seed=2)})


class Monotone:
    decoders = ("detection",)

    def __init__(self, text):
        self.text, self.heard = text, []

    def answer(self, requests, *, batch_size=8):
        self.heard += [
            (request.messages[-1].text, tuple(p.tobytes() for p in request.pictures)) for request in requests
        ]
        return [Answer(text=self.text) for _ in requests]


def test_few_questions_about_many_pictures_are_the_same_for_both_models():
    setting = WorldSetting(seed=5, pictures=3, spread=4, mode="free", draws=9)
    yes: Any
    no: Any
    yes, no = Monotone("Yes."), Monotone("No.")
    reports = {m.text: evaluate_setting(m, setting, groups=["talk"]) for m in (yes, no)}
    assert yes.heard == no.heard
    families = {family for family, some in reports["Yes."].scores.items() if "questions" in some}
    assert all(reports["Yes."].scores[family]["questions"].value == 3 for family in families)
    assert len({pictures for _, pictures in yes.heard}) > 8
    assert Comparison(reports).differences()["talk"]["exact"].low is not None
