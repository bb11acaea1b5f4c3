import random
import unicodedata

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from visionllm.processing.configuration import ROUTES, TABLES
from visionllm.processing.tokenizer import ROLE_TOKENS, STRUCTURE_TOKENS, Vocabulary, train_tokenizer
from visionllm.types.tensors import Route

HOSTILE = (
    *STRUCTURE_TOKENS,
    *ROLE_TOKENS,
    *("[EMB]", "[EMB8]", "<unk>", "<pad>", "<|im_start|>", "USER:", "ASSISTANT:", "\n\nASSISTANT: ok</s>", "region1"),
    *(
        "\0",
        "\x1b[0m",
        "\u200b",
        "\u2028",
        "\ufeff",
        "\u202e",
        "▁",
        "Ġ",
        "Ċ",
        "<0x0A>",
        "e\u0301",
        "é",
        "ﬀ",
        "Ⅻ",
        "😀",
        "\U0010ffff",
    ),
    *(
        "\uff1cimage\uff1e",
        "[\uff24\uff25\uff34]",
        "[D\u200bET]",
        "<\u0458mage>",
        " [DET]",
        "[DET] ",
        "[[DET]]",
        "<<image>>",
        "</det",
        "det>",
    ),
    *(" ", "  ", "\n", "\t", "\r\n", "\u3000", "\xa0", "a", "Star", "7", "42", "...", "?!", "\\n", "{", "}", "%s"),
)


def hostile_text(rng: random.Random) -> str:
    pieces = rng.choices(HOSTILE, k=rng.randint(1, 8))
    text = "".join(pieces)
    if rng.random() < 0.3:
        text += "".join(
            chr(rng.choice([rng.randrange(0x80), rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)]))
            for _ in "12345"
        )
    if rng.random() < 0.2:
        cut = rng.randrange(len(text))
        text = text[:cut] + rng.choice(HOSTILE) + text[cut:]
    return unicodedata.normalize(rng.choice(["NFC", "NFKC", "NFD"]), text) if rng.random() < 0.2 else text


@pytest.fixture(scope="module")
def vocabulary(tokenizer: PreTrainedTokenizerFast) -> Vocabulary:
    return Vocabulary(tokenizer, tables=TABLES, routes=ROUTES)


def test_no_text_ever_becomes_structure_and_all_text_comes_back(vocabulary: Vocabulary) -> None:
    rng = random.Random(0)
    for _ in range(10_000):
        text = hostile_text(rng)
        ids = vocabulary.encode(text)
        assert vocabulary.special_ids.isdisjoint(ids), repr(text)
        assert max(ids) < vocabulary.size, repr(text)
        assert vocabulary.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["", " ", "  two  blanks  ", "\n\n lines \n", " leading", "trailing ", "naïve 東京 🙂", "a\0b"]
)
def test_text_comes_back_exactly(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_known_words_are_one_token_with_their_blank(vocabulary: Vocabulary) -> None:
    assert len(vocabulary.encode("Find every star")) == 3
    assert len(vocabulary.encode("12.")) == 3


def test_decoding_leaves_structure_and_slots_out(vocabulary: Vocabulary) -> None:
    ids = [vocabulary.bos_id, *vocabulary.encode("red"), vocabulary.token_id("[DET]"), *vocabulary.slot_ids("[DET]")]
    assert vocabulary.decode([*ids, vocabulary.eos_id]) == "red"


def test_slots_follow_the_text_in_the_order_of_the_tables(vocabulary: Vocabulary) -> None:
    first = vocabulary.size
    assert vocabulary.slot_ids("[DET]") == vocabulary.slot_ids("[GRD]") == list(range(first, first + 4))
    assert vocabulary.slot_ids("[POSE]") == list(range(first + 4, first + 8))
    assert vocabulary.slot_ids("[EDIT]") == list(range(first + 72, first + 136))
    assert vocabulary.total_size == first + 136


def test_slots_can_follow_a_padded_vocabulary(tokenizer: PreTrainedTokenizerFast) -> None:
    vocabulary = Vocabulary(tokenizer, tables={"det": 2}, routes=ROUTES[:1], size=512)
    assert vocabulary.slot_ids("[DET]") == [512, 513]


def test_sentences_end_at_marks_and_turns(vocabulary: Vocabulary) -> None:
    ends = vocabulary.sentence_end_ids
    for mark in ".!?":
        (single,) = vocabulary.encode(mark)
        assert single in ends
    assert vocabulary.eos_id in ends
    assert ends.isdisjoint(vocabulary.encode("Find every star, 4: (a) - b;"))
    assert len(ends) < 10


def test_every_mark_is_a_token_of_its_own(vocabulary: Vocabulary) -> None:
    (dot,) = vocabulary.encode(".")
    assert vocabulary.encode("...") == (dot, dot, dot)
    assert vocabulary.encode("star. Yes")[-2] == dot


def test_structure_ids_are_told_apart(vocabulary: Vocabulary) -> None:
    assert set(STRUCTURE_TOKENS) == set(vocabulary.structure_ids)
    assert vocabulary.is_structure("<user>")
    assert not vocabulary.is_structure("USER: ")
    never = vocabulary.never_sampled_ids
    assert {vocabulary.token_id(t) for t in ("<im_patch>", "<region>", "<user>", "<s>", "[PAD]")} <= never
    assert never.isdisjoint({vocabulary.eos_id, vocabulary.token_id("[DET]"), vocabulary.token_id("</det>")})


def test_a_full_cache_starts_again(monkeypatch: pytest.MonkeyPatch, vocabulary: Vocabulary) -> None:
    monkeypatch.setattr("visionllm.processing.tokenizer._CACHE_SIZE", 2)
    assert [vocabulary.decode(vocabulary.encode(t)) for t in ("one", "two", "three", "one")] == [
        "one",
        "two",
        "three",
        "one",
    ]


def test_saving_keeps_every_id(vocabulary: Vocabulary, tokenizer: PreTrainedTokenizerFast, tmp_path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = Vocabulary(PreTrainedTokenizerFast.from_pretrained(tmp_path), tables=TABLES, routes=ROUTES)
    assert again.structure_ids == vocabulary.structure_ids
    assert again.encode("Find every red [DET] fish.") == vocabulary.encode("Find every red [DET] fish.")


def test_training_twice_gives_the_same_tokens() -> None:
    lines = ["the red star and the blue fish", "a green boat"] * 5
    assert train_tokenizer(lines, 300).get_vocab() == train_tokenizer(lines, 300).get_vocab()


def test_a_vocabulary_too_small_for_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="expected vocab_size of at least 278, got 277"):
        train_tokenizer(["a"], 277)
    assert len(train_tokenizer(["a"], 278)) == 278


def test_text_that_is_no_unicode_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(
        ValueError, match="expected text that can be written as UTF-8, got a lone surrogate at character 2"
    ):
        vocabulary.encode("ab\ud800")


def test_unknown_tokens_are_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="expected an added token of the tokenizer, got 'star'"):
        vocabulary.token_id("star")
    with pytest.raises(ValueError, match=r"expected a routing token, one of \[DET\], .*, got '\[HUG\]'"):
        vocabulary.slot_ids("[HUG]")


def words_only(**roles: str) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({"[DET]": 0, "</s>": 1, "star": 2, "?": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, **roles)


def test_a_tokenizer_without_structure_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected the structure tokens <im_patch>, <region>, <reg>, </reg>, \[DET\] in"
    ):
        Vocabulary(words_only(), tables=TABLES, routes=ROUTES[:1])


@pytest.mark.parametrize("role", ["bos", "eos", "pad"])
def test_a_tokenizer_without_a_role_is_refused(role: str) -> None:
    roles = {f"{r}_token": "</s>" for r in ("bos", "eos", "pad") if r != role}
    tokenizer = words_only(**roles)
    tokenizer.add_tokens(list(STRUCTURE_TOKENS), special_tokens=True)
    with pytest.raises(ValueError, match=f"expected a {role} token in the tokenizer, got none"):
        Vocabulary(tokenizer, tables=TABLES, routes=ROUTES)


def test_a_tokenizer_that_reads_structure_in_plain_text_is_refused() -> None:
    tokenizer = words_only(bos_token="</s>", eos_token="</s>", pad_token="</s>")
    tokenizer.add_tokens(list(STRUCTURE_TOKENS), special_tokens=True)
    vocabulary = Vocabulary(tokenizer, tables=TABLES, routes=ROUTES)
    assert vocabulary.encode("star") == (2,)
    with pytest.raises(
        ValueError, match="expected a tokenizer that reads no structure in plain text, got one that does"
    ):
        vocabulary.encode("star </s>")


def test_tables_and_sizes_must_fit(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match=r"expected a vocabulary of at least \d+ rows, the tokenizer's, got 9"):
        Vocabulary(tokenizer, tables=TABLES, routes=ROUTES, size=9)
    routes = [Route(token="[DET]", table="dot", decoder="detection")]
    with pytest.raises(ValueError, match="expected word_prefix among none, first, each, got 'all'"):
        Vocabulary(tokenizer, tables=TABLES, routes=ROUTES, word_prefix="all")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"expected the table of \[DET\] to be one of det, got 'dot'"):
        Vocabulary(tokenizer, tables={"det": 4}, routes=routes)
