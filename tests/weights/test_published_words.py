"""The published tokenizer is read with its flag; its ids are compared in `tests/parity/test_conversation.py`."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.parity.conversations import vocabulary_of, words_folder, words_of
from tests.parity.golden import sets
from visionllm.weights.published_words import words_from_published

SET = sets("conversation")[0]


def folder(place: Path, **settings: Any) -> Path:
    """Write a published tokenizer."""
    return words_folder(SET, place, **settings)


@pytest.mark.parametrize("legacy", [True, False])
def test_ends_of_tokens_are_counted_in_the_text(tmp_path, legacy):
    vocabulary = vocabulary_of(words_of(SET, tmp_path / "published", legacy=legacy))
    text = "hello  wörld 🙂"
    ends = [end for _, end in vocabulary.encoding(text, first=True)]
    assert ends == sorted(ends)
    assert ends[-1] == len(text)


def test_routing_tokens_swallow_the_blanks_beside_them(tmp_path):
    assert vocabulary_of(words_of(SET, tmp_path / "published", legacy=False)).swallows_blanks


def test_without_the_flag_every_run_begins_a_word(tmp_path):
    assert words_from_published(folder(tmp_path / "published"))[1] == "each"


def test_what_is_missing_or_wrong_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"expected legacy in .* to be true or false, got 'no'"):
        words_from_published(folder(tmp_path / "wrong", legacy="no"))
    (folder(tmp_path / "without") / "tokenizer.model").unlink()
    with pytest.raises(ValueError, match=r"expected file tokenizer\.model in"):
        words_from_published(tmp_path / "without")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ValueError, match=r"expected the package sentencepiece, .*visionllm-v2\[convert\]"):
        words_from_published(folder(tmp_path / "bare"))
