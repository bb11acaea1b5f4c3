"""Right or wrong answers in words, beside what the commonest answer would have got."""

from collections import Counter

from visionllm.data.world.captions import facts, normalise_answer
from visionllm.evaluation.intervals import Statistic, Tally


class ExactMatch:
    """Counts answers that are the expected one after normalisation."""

    def __init__(self, pictures: int) -> None:
        """Start with nothing asked about any of the pictures."""
        self._tally = Tally(pictures)
        self._expected: Counter[str] = Counter()

    def add(self, picture: int, expected: str, answer: str) -> bool:
        """Judge one answer and return whether it is right."""
        right = normalise_answer(expected) == normalise_answer(answer)
        self._tally.add(picture, right)
        self._expected[_gist(expected)] += 1
        return right

    @property
    def questions(self) -> int:
        """Number of answers that were judged."""
        return self._expected.total()

    @property
    def majority(self) -> float:
        """Share of the questions that the commonest answer gets right; for yes or no, the commoner of the two words."""
        return self._expected.most_common(1)[0][1] / self.questions if self.questions else float("nan")

    def statistics(self) -> dict[str, Statistic]:
        """Return accuracy, the commonest answer's, and by how much the first is above the second."""
        majority = self.majority
        return {
            "exact": self._tally,
            "majority": lambda _: majority,
            "margin": lambda weights: self._tally(weights) - majority,
            "questions": lambda _: float(self.questions),
        }


def _gist(answer: str) -> str:
    """Return what a guesser could give without looking: after yes or no, the rest repeats the question."""
    words = normalise_answer(answer).split()
    return words[0] if words and words[0] in ("yes", "no") else " ".join(words)


def fact_score(expected: str, answer: str) -> float:
    """Return the F1 score, in [0, 1], of the facts that an answer states.

    Where nothing is to be stated, the words themselves must be right.

    >>> round(fact_score("A red star and two blue fish.", "A red star and three blue fish."), 2)
    0.5
    >>> fact_score("The picture is empty.", "")
    0.0
    """
    true, told = facts(expected), facts(answer)
    if not true:
        return float(normalise_answer(expected) == normalise_answer(answer))
    return 2 * len(true & told) / (len(true) + len(told))
