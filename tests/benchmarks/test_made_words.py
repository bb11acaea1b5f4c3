"""Words that mean nothing, in the layout of published ones."""

import json
from importlib.util import find_spec

import pytest

from made_words import write_words
from visionllm.weights.published import TOKENS, released_token_ids
from visionllm.weights.published_words import words_from_published


@pytest.mark.skipif(find_spec("sentencepiece") is None, reason="needs the extra `convert`")
@pytest.mark.parametrize("size", [40, 300])
def test_a_tokenizer_has_the_size_that_is_asked_for_and_the_added_tokens_behind(tmp_path, size):
    write_words(tmp_path, size)
    words, prefix = words_from_published(tmp_path)
    assert (len(words), prefix) == (size + len(TOKENS), "each")
    added = words.get_added_vocab()
    assert {token: added[token] for token in TOKENS} == released_token_ids(size)
    assert [words.convert_tokens_to_ids(token) for token in ("<unk>", "<s>", "</s>")] == [0, 1, 2]
    assert len(words("bad cab", add_special_tokens=False)["input_ids"]) > 1
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["legacy"] is True
