"""The published tokenizer's ids, as the published code gave them; `words/` holds them beside a small vocabulary."""

import json
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from visionllm.processing import Vocabulary
from visionllm.processing.chat import VICUNA_V1, write
from visionllm.types import Message, Picture, Request
from visionllm.weights.published import ROUTES
from visionllm.weights.published_words import words_from_published

WORDS = Path(__file__).parent / "words"
TABLES = {"det": 4, "pose": 4, "gen": 8, "edit": 8}
BASE = ("<unk>", "<s>", "</s>")  # the released tokenizer was loaded again: these keep the blanks beside them


@cache
def published() -> dict[str, Any]:
    return json.loads((WORDS / "published.json").read_text(encoding="utf-8"))


def folder(place: Path, **settings: object) -> Path:
    """Write a published tokenizer."""
    place.mkdir()
    shutil.copy(WORDS / "tokenizer.model", place)
    known = {"added_tokens_decoder": published()["added_tokens_decoder"], "tokenizer_class": "LlamaTokenizer"}
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    (place / "tokenizer_config.json").write_text(json.dumps(known | roles | settings))
    return place


@pytest.fixture(scope="module", params=["true", "false"])
def words(request, tmp_path_factory):
    place = folder(tmp_path_factory.mktemp("words") / "published", legacy=request.param == "true")
    tokenizer, prefix = words_from_published(place)
    assert prefix == {"true": "each", "false": "first"}[request.param]
    return request.param, Vocabulary(tokenizer, tables=TABLES, routes=ROUTES, word_prefix=prefix)


def ids_of(vocabulary: Vocabulary, text: str) -> list[int]:
    """Return the ids of a string in which added tokens are structure, as the published tokenizer reads it."""
    added = published()["added"]
    pieces = re.split("(" + "|".join(map(re.escape, added)) + ")", text)
    ids, first = [vocabulary.bos_id], True
    for i, piece in enumerate(pieces):
        if i % 2:
            ids.append(added[piece])
            first = False
            continue
        if i and pieces[i - 1] not in BASE:
            piece = piece.lstrip()
        if i + 1 < len(pieces) and pieces[i + 1] not in BASE:
            piece = piece.rstrip()
        ids += [token for token, _ in vocabulary.encoding(piece, first=first)]
        first = first and not piece
    return ids


@pytest.mark.parametrize("number", range(72))
def test_strings_around_added_tokens_have_the_published_ids(words, number):
    legacy, vocabulary = words
    case = published()["encode"][number]
    assert ids_of(vocabulary, case["text"]) == case[legacy]


def test_all_strings_are_tested():
    assert len(published()["encode"]) == 72


@pytest.mark.parametrize("number", range(12))
def test_conversations_have_the_published_ids(words, number):
    legacy, vocabulary = words
    case = published()["cases"][number]
    messages = []
    for i, (who, said) in enumerate(case["conversations"]):
        text = said.removeprefix("<image>\n") if i == 0 and case["picture_tokens"] else said
        parts = (Picture(Image.new("RGB", (8, 8))), text) if i == 0 and case["picture_tokens"] else (text,)
        messages.append(Message("user" if who == "human" else "assistant", parts))
    *asked, answer = messages
    request = Request(tuple(asked))
    written = write(
        request, vocabulary, VICUNA_V1, [case["picture_tokens"]], answer=answer.parts, close=True, learn=True
    )
    assert written.ids == case[legacy]
    learned = [label for label in written.labels if label != -100]
    wanted = [label for label in case[f"labels_{legacy}"] if label != -100]
    assert wanted[-len(learned) :] == learned


def test_ends_of_tokens_are_counted_in_the_text(words):
    _, vocabulary = words
    text = "hello  wörld 🙂"
    ends = [end for _, end in vocabulary.encoding(text, first=True)]
    assert ends == sorted(ends)
    assert ends[-1] == len(text)


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
