"""Conversations, their labels and texts around added tokens have the published ids."""

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.parity.conversations import Record, answer_parts, ids_here, vocabulary_of, words_folder, words_of
from tests.parity.golden import Golden, sets
from visionllm.answers import read_answer
from visionllm.processing import ProcessorConfig, VisionImageConfig, VisionLLMProcessor, Vocabulary
from visionllm.processing.chat import IGNORED, TEMPLATES, Written, write
from visionllm.types import Message, Request, Sample
from visionllm.weights.published_words import words_from_published

BASE = ("<unk>", "<s>", "</s>")  # the released tokenizer was loaded again: these keep the blanks beside them
SETS = sets("conversation")
LEGACY = ("reloaded_legacy_false", "reloaded_legacy_true")
CHAT = "internlm2_chat"


def numbered(name: str, file: str) -> list[Any]:
    return [
        pytest.param(golden, case, id=f"{golden}-{case.get('name', i)}")
        for golden in SETS
        for i, case in enumerate(golden.json(file)[name])
    ]


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Vocabulary]:
    """Return a vocabulary for each set and variant."""
    found = {}
    for golden in SETS:
        for variant in LEGACY:
            place = tmp_path_factory.mktemp("words") / "published"
            words = words_of(golden, place, legacy=variant == "reloaded_legacy_true")
            assert words[1] == ("each" if variant == "reloaded_legacy_true" else "first")
            found[str(golden), variant] = vocabulary_of(words)
        found[str(golden), CHAT] = chat_vocabulary(golden, tmp_path_factory.mktemp("words") / "chat")
    return found


def chat_vocabulary(golden: Golden, place: Path) -> Vocabulary:
    """Return the vocabulary of InternLM2: the same pieces without a mark before texts, and other added tokens."""
    tokens = golden.json("internlm2_chat.json")["token_ids"]
    tokenizer, _ = words_from_published(words_folder(golden, place, legacy=False, tokens=tokens))
    return vocabulary_of((tokenizer, "none"))


def written_of(record: Record, vocabulary: Vocabulary) -> Written:
    template = TEMPLATES[record.template]
    if record.case["use_im_start_end"]:
        template = replace(template, picture_wrap=("<img>", "</img>"))
    request, answer = record.request()
    return write(
        request, vocabulary, template, record.picture_tokens, answer=answer, close=True, learn=True, learn_history=True
    )


def assert_published(record: Record, vocabulary: Vocabulary, expected: dict[str, Any]) -> None:
    """Compare ids and labels; where the published code cuts a long conversation, which ours refuses, its beginning."""
    if record.odd:
        pytest.skip(f"ours differs on purpose: {record.odd}")
    written = written_of(record, vocabulary)
    if too_long(record, written) and "error" in expected:
        return  # the picture itself was cut away
    ids, labels = ids_here(expected["input_ids"], expected["labels"], vocabulary)
    if too_long(record, written):
        assert len(ids) < len(written.ids)
    else:
        assert len(ids) == len(written.ids)
    assert written.ids[: len(ids)] == ids
    if expected.get("mismatch_warning"):
        assert set(labels) == {IGNORED}
        assert set(written.labels) > {IGNORED}, "ours learns what the published code drops"
    else:
        assert written.labels[: len(ids)] == labels


def too_long(record: Record, written: Written) -> bool:
    """Tell whether a conversation is longer than the context, before its pictures are expanded (where they are)."""
    pictures = sum(count - 1 for count in record.picture_tokens if record.case["has_image"])
    return len(written.ids) - (0 if record.template == "plain" else pictures) > record.case["model_max_length"]


@pytest.mark.parametrize("variant", LEGACY)
@pytest.mark.parametrize(("golden", "case"), numbered("cases", "cases.json"))
def test_conversations_have_the_published_ids_and_labels(vocabularies, golden, case, variant):
    expected = case["expected"][variant]
    assert_published(Record(case=case, template=case["version"]), vocabularies[str(golden), variant], expected)


@pytest.mark.parametrize(("golden", "case"), numbered("cases", "internlm2_chat.json"))
def test_conversations_of_internlm2_have_the_published_ids_and_labels(vocabularies, golden, case):
    assert_published(Record(case=case, template=CHAT), vocabularies[str(golden), CHAT], case["expected"])


@pytest.mark.parametrize("variant", LEGACY)
@pytest.mark.parametrize("golden", SETS, ids=str)
def test_a_batch_of_two_is_padded_as_published(vocabularies, golden, variant):
    vocabulary = vocabularies[str(golden), variant]
    records = [Record(case=c, template=c["version"]) for c in golden.json("cases.json")["cases"]]
    (tokens, _), *_ = Counter(t for r in records if isinstance(t := r.case["image_token_len"], int)).most_common()
    fitting = [record for record in records if fits(record, vocabulary, tokens, variant)]
    config = ProcessorConfig(
        vision=VisionImageConfig(image_size=28, mode="stretch"),
        template=TEMPLATES["vicuna_v1"],
        tokens_per_split=tokens,
        decoder=None,
        word_prefix=vocabulary.word_prefix,
        tables=vocabulary.tables,
    )
    processor = VisionLLMProcessor(config, vocabulary.tokenizer)
    assert len(fitting) > 10
    for one, two in pairwise(fitting):
        samples = []
        for record in (one, two):
            request, answer = record.request()
            samples.append([Sample(request=request, answer=Message("assistant", answer), learn_history=True)])
        inputs = processor.train_batch(samples).inputs
        assert inputs.labels is not None
        for row, record in enumerate((one, two)):
            stored = record.case["expected"][variant]
            ids, labels = ids_here(stored["input_ids"], stored["labels"], vocabulary)
            free = inputs.input_ids.shape[1] - len(ids)
            assert inputs.input_ids[row].tolist() == [*ids, *[0] * free]
            assert inputs.labels[row].tolist() == [*labels, *[-100] * free]
            assert inputs.attention_mask[row].tolist() == [*[True] * len(ids), *[False] * free]


def fits(record: Record, vocabulary: Vocabulary, tokens: int, variant: str) -> bool:
    """Tell whether a processor for pictures of so many tokens writes a conversation as published."""
    case = record.case
    if record.odd or record.template != "vicuna_v1" or case["use_im_start_end"] or tokens != case["image_token_len"]:
        return False
    warned = case["expected"][variant].get("mismatch_warning")
    return not warned and not too_long(record, written_of(record, vocabulary))


@pytest.mark.parametrize("variant", LEGACY)
@pytest.mark.parametrize(("golden", "case"), numbered("encode", "cases.json"))
def test_strings_around_added_tokens_have_the_published_ids(vocabularies, golden, case, variant):
    tokens = golden.json("cases.json")["token_ids"]
    assert ids_of(vocabularies[str(golden), variant], case["text"], tokens) == case[variant]["ids"]


def ids_of(vocabulary: Vocabulary, text: str, added: dict[str, int]) -> list[int]:
    """Return the ids of a string in which added tokens are structure, as the published tokenizer reads it."""
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


@pytest.mark.parametrize("variant", LEGACY)
@pytest.mark.parametrize(("golden", "case"), numbered("encode", "cases.json"))
def test_texts_between_added_tokens_are_decoded_as_published(vocabularies, golden, case, variant):
    vocabulary, ids = vocabularies[str(golden), variant], case[variant]["ids"][1:]
    names = {number: token for token, number in golden.json("cases.json")["token_ids"].items()}
    whole = (case[variant]["decode_no_bos"] or "").lstrip()  # its blanks at the ends depend on the place of a run
    runs: list[Any] = [[]]
    for token in ids:
        if token in names:
            runs += [names[token], []]
        else:
            runs[-1].append(token)
    for run in runs:
        words = run if isinstance(run, str) else vocabulary.decode(run).strip()
        assert whole.startswith(words)
        whole = whole.removeprefix(words).lstrip()
    assert not whole


@pytest.mark.parametrize("variant", LEGACY)
@pytest.mark.parametrize("golden", SETS, ids=str)
def test_words_stay_apart_where_a_routing_token_took_their_blank(vocabularies, golden, variant):
    vocabulary = vocabularies[str(golden), variant]
    said = answer_parts("Yes, here are the person[DET][EMB][EMB2][EMB3][EMB4], car[DET][EMB] in the image.")
    request = Request((Message("user", ("Where?",)),))
    written = write(request, vocabulary, TEMPLATES["vicuna_v1"], [], answer=said, learn=True)
    answer = [i for i, label in zip(written.ids, written.labels, strict=True) if label != IGNORED]
    reading = read_answer(answer, vocabulary)
    assert reading.text == "Yes, here are the person, car in the image."


def test_most_conversations_are_compared():
    records = [
        Record(case=case, template=case.get("version", CHAT))
        for golden in SETS
        for file in ("cases.json", "internlm2_chat.json")
        for case in golden.json(file)["cases"]
    ]
    assert sum(not record.odd for record in records) > 0.7 * len(records)
