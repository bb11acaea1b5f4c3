"""A trained model goes on with more words and more slots."""

import pytest
import torch

from visionllm.processing import train_tokenizer
from visionllm.processing.tokenizer import Vocabulary
from visionllm.training.adopting import carried, carried_rows, row_sources

OLD_LINES = ["a red star and a blue star", "a red fish"] * 20
NEW_LINES = [*OLD_LINES, *["a brown horse, a brown horse"] * 40]


def vocabulary(lines: list[str], size: int) -> Vocabulary:
    return Vocabulary(train_tokenizer(lines, size), tables={}, routes=())


@pytest.fixture(scope="module")
def both() -> tuple[Vocabulary, Vocabulary]:
    return vocabulary(OLD_LINES, 300), vocabulary(NEW_LINES, 340)


def test_words_of_both_vocabularies_keep_their_rows(both):
    old, new = both
    sources = row_sources(old, new)
    for token in ("<s>", "</s>", "[PAD]", "[DET]", "<user>"):
        assert sources[new.token_id(token)] == [old.token_id(token)]
    (number,) = new.encode(" red")
    assert sources[number] == list(old.encode(" red"))


def test_a_new_word_is_the_old_pieces_of_its_text(both):
    old, new = both
    (number,) = new.encode(" horse")
    pieces = list(old.encode(" horse"))
    assert len(pieces) > 1
    assert row_sources(old, new)[number] == pieces
    table = torch.arange(old.size * 2, dtype=torch.float32).reshape(-1, 2)
    rows = carried_rows(table, row_sources(old, new))
    torch.testing.assert_close(rows[number], table[pieces].mean(0))
    assert rows.shape == (new.size, 2)


def test_the_same_vocabulary_carries_every_row_to_itself(both):
    old, _ = both
    table = torch.randn(old.size, 3)
    assert torch.equal(carried_rows(table, row_sources(old, old)), table)


def test_what_the_trained_model_lacks_is_as_it_was_built(both):
    old, new = both
    state = {"words": torch.randn(old.size, 4), "layer": torch.ones(2)}
    own = {"words": torch.zeros(new.size, 4), "layer": torch.zeros(2), "slots": torch.full((3,), 5.0)}
    grown = carried(state, own, old, new)
    assert grown["words"].shape == (new.size, 4)
    assert torch.equal(grown["layer"], torch.ones(2))
    assert torch.equal(grown["slots"], own["slots"])


def test_a_part_without_a_place_is_refused(both):
    with pytest.raises(ValueError, match="expected a stage with all parts of the model, got one without nose"):
        carried({"nose": torch.zeros(1)}, {}, *both)


def test_another_shape_is_refused(both):
    with pytest.raises(ValueError, match=r"expected layer of the shape \[3\], got \[2\]"):
        carried({"layer": torch.zeros(2)}, {"layer": torch.zeros(3)}, *both)
