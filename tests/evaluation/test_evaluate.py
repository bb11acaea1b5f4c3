"""The whole evaluation of the picture world with predictors whose scores are known."""

import math
from typing import Any

import pytest

from visionllm.evaluation import evaluate_quick, evaluate_world, world_benchmarks
from visionllm.evaluation.evaluate import chosen_benchmarks
from visionllm.evaluation.targets import WANTED
from visionllm.evaluation.world import WorldSetting
from visionllm.types import Answer

ASIDE = ("majority", "margin", "weakest_margin", "questions", "false_positives_known")
REFUSALS = ("refusal_free", "refusal_known", "giou_free", "giou_known")


@pytest.fixture(scope="module")
def report(oracle):
    return evaluate_world(oracle, seed=7, pictures=6, draws=20)


@pytest.fixture(scope="module")
def silence(silent):
    return evaluate_world(silent, seed=7, pictures=6, draws=0)


def test_an_oracle_scores_one_everywhere(report):
    values = {name: value for name, value in report.flat().items() if name.split("/")[1] not in ASIDE}
    assert len(values) > 100
    assert {name: value for name, value in values.items() if not math.isclose(value, 1.0)} == {}
    assert report.value("absent", "false_positives_known") == 0.0


def test_intervals_of_an_oracle_are_points(report):
    assert report.scores["talk"]["exact"].low == report.scores["talk"]["exact"].high == 1.0


def test_an_oracle_reaches_every_target(report):
    targets = [t for t in WANTED if t.family in report.scores]
    assert len(targets) == 21
    names = {t: {t.score, f"{t.score}_known", f"{t.score}_free"} & set(report.scores[t.family]) for t in targets}
    assert all(names.values())
    missed = [t for t, found in names.items() if not all(t.met(report.value(t.family, n)) for n in found)]
    assert [t for t in missed if t.score != "weakest_margin"] == []


def test_silence_scores_zero_wherever_something_is_to_be_said_or_found(silence):
    skipped = (*ASIDE, *REFUSALS)
    rows = {name: value for name, value in silence.flat().items() if name.split("/")[1] not in skipped}
    boxes = ("boxes_free", "count_of_boxes_free")
    rows = {n: v for n, v in rows.items() if not n.startswith("routing/") and n.split("/")[1] not in boxes}
    assert len(rows) > 80
    assert {name: value for name, value in rows.items() if value} == {}


def test_silence_is_the_right_refusal_but_reaches_no_recall(silence):
    assert silence.value("refer", "refusal_free") == silence.value("detect-nothing", "refusal_free") == 1.0
    assert silence.value("absent", "false_positives_known") is None
    assert silence.value("absent", "recall_known") == 0.0


def test_silence_is_the_right_route_for_plain_questions_alone(silence):
    assert silence.value("routing", "right_talk") == 1.0
    assert silence.value("routing", "right_refer") == pytest.approx(0.2)


def test_each_question_is_asked_once_however_many_benchmarks_want_it(oracle):
    before = oracle.asked
    evaluate_world(oracle, groups=["talk"], seed=7, pictures=6, draws=0)
    alone = oracle.asked - before
    evaluate_world(oracle, groups=["talk", "routing"], seed=7, pictures=6, draws=0)
    both = oracle.asked - before - alone
    evaluate_world(oracle, groups=["routing"], seed=7, pictures=6, draws=0)
    assert both == oracle.asked - before - alone - both > alone


@pytest.mark.parametrize("mode", ["free", "known"])
def test_one_mode_leaves_the_scores_of_the_other_out(oracle, mode):
    other = {"free": "known", "known": "free"}[mode]
    found = evaluate_world(oracle, seed=7, pictures=6, draws=0, mode=mode)
    assert not [name for name in found.flat() if name.endswith(f"_{other}")]
    assert [name for name in found.flat() if name.endswith(f"_{mode}")]


def test_the_batch_size_changes_nothing(oracle, report):
    single = evaluate_world(oracle, seed=7, pictures=6, draws=0, batch_size=1)
    assert single.flat() == report.flat()


def test_scores_beside_training_come_from_validation_pictures_without_intervals(validation_oracle):
    scores = evaluate_quick(validation_oracle, groups=["talk", "detect"], pictures=3, seed=7)
    assert scores["talk/exact"] == 1.0
    assert scores["detect/box_ap_known"] == pytest.approx(1.0)


FIRST = {"talk", "region", "detect", "segment", "refer", "point", "routing", "together"}
SECOND = {"pose", "whole", "read", "example", "draw", "edit", "ceiling", "domain", "routing-2"}


def test_the_groups_are_those_of_the_world_and_what_spans_them():
    assert set(world_benchmarks(1)) == FIRST
    assert set(world_benchmarks(2)) == SECOND
    assert set(world_benchmarks()) == FIRST | SECOND


def test_version_1_is_chosen_unless_a_group_or_the_version_says_otherwise():
    assert {b.group for b in chosen_benchmarks()} == FIRST
    assert {b.group for b in chosen_benchmarks(version=2)} == SECOND
    assert [b.group for b in chosen_benchmarks(["pose", "talk"])] == ["talk", "pose"]


def test_a_group_of_another_version_is_refused():
    with pytest.raises(ValueError, match=r"expected groups out of .*, got pose"):
        chosen_benchmarks(["pose"], 1)
    with pytest.raises(ValueError, match="expected one of the versions 1, 2, got 3"):
        chosen_benchmarks(version=3)


def test_what_needs_a_decoder_that_is_not_there_is_skipped_with_a_reason():
    class Mute:
        decoders = ("detection",)

        def answer(self, requests, *, batch_size=8):
            return [Answer(text="") for _ in requests]

    mute: Any = Mute()
    report = evaluate_world(mute, groups=["pose", "talk"], pictures=1, mode="free", draws=0)
    assert report.skipped == {"pose": "the model has no decoder for pose"}
    assert "talk" in report.scores and "pose-person" not in report.scores


def test_every_target_of_version_2_is_scored():
    kinds = world_benchmarks(2).values()
    scores = {f: some for kind in kinds for f, some in kind(WorldSetting(pictures=1, draws=0)).compute().items()}
    second = [t for t in WANTED[21:] if {t.score, f"{t.score}_known", f"{t.score}_free"} & set(scores[t.family])]
    assert second == list(WANTED[21:])


def test_unknown_groups_are_refused():
    with pytest.raises(ValueError, match=r"expected groups out of ceiling, detect, .*, got poetry"):
        chosen_benchmarks(["talk", "poetry"])
