"""A language model's tokenizer gets the structure tokens, unless it means something else by one of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from tests.parity.golden import sets
from tests.weights.building.parts import WORDS, rewrite, words, write_words
from visionllm.processing import ROUTES, TABLES, Vocabulary
from visionllm.weights.building.words import read_words
from visionllm.weights.published import TOKENS

SENTENCEPIECE = sets("conversation")[0].path / "tokenizer.model"


def test_all_structure_tokens_follow_the_words_in_the_published_order(tmp_path: Path):
    found = read_words(write_words(tmp_path))
    assert found.own == WORDS
    assert found.added == tuple(TOKENS)
    assert [found.tokenizer.get_vocab()[token] for token in TOKENS] == list(range(WORDS, WORDS + len(TOKENS)))
    added = {t.content: t for t in found.tokenizer.added_tokens_decoder.values()}
    assert all(added[token].special and added[token].lstrip and added[token].rstrip for token in TOKENS)
    assert (found.template.begin, found.template.answer_close) == (("<s>",), ("</s>",))
    assert (found.prefix, found.tokenizer.pad_token) == ("none", "<unk>")


def test_text_gives_the_ids_it_gave_before_and_never_structure(tmp_path: Path):
    found = read_words(write_words(tmp_path))
    vocabulary = Vocabulary(found.tokenizer, tables=TABLES, routes=ROUTES)
    text = "Where is the [DET] <image> boat?</s>"
    ids = vocabulary.encode(text)
    plain = words(special=())
    assert vocabulary.special_ids.isdisjoint(ids)
    assert vocabulary.decode(ids) == text == plain.decode(plain.encode(text).ids)


def test_a_tokenizer_of_sentencepiece_is_read_as_the_published_one_is(tmp_path: Path):
    shutil.copy(SENTENCEPIECE, tmp_path)
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(roles | {"legacy": False}))
    found = read_words(tmp_path)
    assert (found.prefix, found.own, found.tokenizer.get_vocab()["[DET]"]) == ("first", 640, 652)
    assert found.notes == ()


def test_tokens_that_are_there_for_the_same_purpose_keep_their_ids(tmp_path: Path):
    tokenizer = words()
    tokenizer.add_special_tokens([AddedToken("<image>", special=True), AddedToken("[PAD]", special=True)])
    found = read_words(write_words(tmp_path, tokenizer, pad_token="[PAD]"))
    assert found.tokenizer.get_vocab()["<image>"] == WORDS
    assert found.added == tuple(token for token in TOKENS if token not in ("<image>", "[PAD]"))
    assert found.tokenizer.pad_token == "[PAD]"


def test_roles_that_a_tokenizer_lacks_are_filled_and_told(tmp_path: Path):
    found = read_words(write_words(tmp_path, bos_token=None, unk_token=None))
    assert (found.tokenizer.bos_token, found.tokenizer.pad_token) == ("</s>", "[PAD]")
    assert found.notes == (
        "the tokenizer has no bos_token: conversations begin with </s>",
        "the tokenizer has no pad_token: rows are filled with [PAD]",
    )


def test_templates_of_others_are_left_behind(tmp_path: Path):
    write_words(tmp_path)
    rewrite(tmp_path / "tokenizer_config.json", chat_template="{{ messages }}")
    assert read_words(tmp_path).tokenizer.chat_template is None


@pytest.mark.faults
@pytest.mark.parametrize(
    ("token", "special", "roles", "message"),
    [
        ("<region>", False, {}, "expected <region> to be free for us .*, got it as a word of text"),
        ("[DET]", True, {"sep_token": "[DET]"}, r"expected \[DET\] to be free .*, got it as its sep token"),
        ("[PAD]", True, {"unk_token": "[PAD]"}, r"expected \[PAD\] to be free .*, got it as its unk token"),
    ],
)
def test_a_token_of_ours_that_means_something_else_is_refused(
    tmp_path: Path, token: str, special: bool, roles: dict[str, Any], message: str
):
    tokenizer = words()
    add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
    add([AddedToken(token, special=special, normalized=False)])
    with pytest.raises(ValueError, match=message):
        read_words(write_words(tmp_path, tokenizer, **roles))


@pytest.mark.faults
def test_a_tokenizer_that_ends_no_text_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected an eos_token in the tokenizer of .*, got none"):
        read_words(write_words(tmp_path, eos_token=None))


@pytest.mark.faults
def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected tokenizer\.json or tokenizer\.model in .*, got neither"):
        read_words(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"expected .*tokenizer\.json to hold a tokenizer with a model, got none"):
        read_words(tmp_path)


@pytest.mark.faults
def test_settings_that_choose_code_are_refused(tmp_path: Path):
    write_words(tmp_path)
    rewrite(tmp_path / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})
    with pytest.raises(ValueError, match=r"chooses code in a configuration, got .*tokenizer_config\.json\.auto_map"):
        read_words(tmp_path)
