"""Batches of one sort, each question once, and benchmarks that are found by their names."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from visionllm.evaluation import runner
from visionllm.evaluation.base import Ask, Benchmark, Question
from visionllm.evaluation.runner import find_benchmarks, run_benchmarks
from visionllm.types import Answer, ask


class Echo:
    """Answers every question with its own words, and remembers its batches."""

    def __init__(self):
        self.batches = []

    def answer(self, requests, *, batch_size=8):
        words = [request.messages[0].text for request in requests]
        self.batches.append(words)
        return [Answer(text=word) for word in words]


def run(model: Any, benchmarks, **options):
    run_benchmarks(model, benchmarks, **options)


class Listed(Benchmark):
    """Asks (picture, sort, number) questions, and keeps what comes back."""

    name = "listed"

    def __init__(self, *asked):
        self.asked = asked
        self.heard = []

    def requests(self):
        for picture, sort, number in self.asked:
            words = f"{picture} {sort} {number}"
            yield Question(picture=picture, sort=sort, number=number, call=Ask(ask(words)), truth=words)

    def update(self, truth, result):
        self.heard.append((truth, result.text))

    def compute(self):
        return {}


def test_every_question_hears_its_own_answer():
    benchmarks = [Listed((0, "a", 0), (2, "a", 0), (2, "a", 1)), Listed((1, "b", 0), (2, "b", 0))]
    run(Echo(), benchmarks, batch_size=2)
    assert [len(b.heard) for b in benchmarks] == [3, 2]
    assert all(truth == text for b in benchmarks for truth, text in b.heard)


def test_a_batch_holds_one_sort_and_no_more_than_its_size():
    echo = Echo()
    run(echo, [Listed(*((p, "a", n) for p in range(3) for n in range(2))), Listed((0, "b", 0))], batch_size=3)
    assert sorted(map(len, echo.batches)) == [1, 3, 3]
    assert all(len({words.split()[1] for words in batch}) == 1 for batch in echo.batches)


def test_what_two_benchmarks_want_to_know_is_asked_once():
    echo, benchmarks = Echo(), [Listed((0, "a", 0), (1, "a", 0)), Listed((1, "a", 0))]
    run(echo, benchmarks, batch_size=8)
    assert echo.batches == [["0 a 0", "1 a 0"]]
    assert benchmarks[1].heard == [("1 a 0", "1 a 0")]


def test_questions_of_one_sort_about_one_picture_are_told_apart_by_number():
    echo = Echo()
    run(echo, [Listed((0, "a", 0), (0, "a", 1))], batch_size=8)
    assert echo.batches == [["0 a 0", "0 a 1"]]


def test_progress_counts_pictures_and_questions():
    told = []
    asked = [(0, "a", 0), (1, "a", 0), (4, "a", 0)]
    run(Echo(), [Listed(*asked)], batch_size=2, progress=lambda *done: told.append(done))
    assert told == [(2, 2), (6, 3)]


@pytest.mark.parametrize("benchmarks", [[], [Listed()]])
def test_nothing_to_ask_asks_nothing(benchmarks):
    echo = Echo()
    run(echo, benchmarks)
    assert echo.batches == []


def test_an_empty_batch_size_is_refused():
    with pytest.raises(ValueError, match="expected a positive batch size, got 0"):
        run(Echo(), [], batch_size=0)


def test_a_missing_answer_is_noticed():
    class Forgetful(Echo):
        def answer(self, requests, *, batch_size=8):
            return super().answer(requests)[1:]

    with pytest.raises(ValueError, match="expected 2 results, one per question, got 1"):
        run(Forgetful(), [Listed((0, "a", 0), (1, "a", 0))])


def test_benchmarks_of_this_package_are_found_by_name():
    found = find_benchmarks()
    assert {"world_talk", "world_detect", "world_refer"} <= set(found)
    assert all(issubclass(b, Benchmark) and b.name == name for name, b in found.items())


@pytest.fixture
def other_package(monkeypatch):
    def install(benchmark):
        monkeypatch.setattr(EntryPoint, "load", lambda self: benchmark)
        entry = EntryPoint(name="x", value="x:y", group="visionllm.benchmarks")
        monkeypatch.setattr(runner, "entry_points", lambda *, group: [entry])

    return install


def test_other_packages_add_benchmarks(other_package):
    other_package(Listed)
    assert find_benchmarks()["listed"] is Listed


def test_two_benchmarks_of_one_name_are_refused(other_package):
    class Twin(Listed):
        name = "world_talk"

    other_package(Twin)
    with pytest.raises(ValueError, match="expected one benchmark 'world_talk', got"):
        find_benchmarks()
