import pytest
import torch
from transformers import CLIPTokenizer, PreTrainedTokenizerBase

from tests.parity.golden import sets
from visionllm.processing.captions import caption_ids

START, END = 516, 517


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    golden = sets("sd")[0]
    folder = golden.path / golden.json()["sd_model_id"] / "tokenizer"
    return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)


def test_a_caption_stands_between_start_and_end_and_is_filled_up(tokenizer: PreTrainedTokenizerBase):
    ids = caption_ids(["the cat", ""], tokenizer, 6)
    assert ids.dtype == torch.long
    assert ids[0, 0] == START
    assert ids[1].tolist() == [START, *[END] * 5]


def test_a_long_caption_keeps_its_end(tokenizer: PreTrainedTokenizerBase):
    (ids,) = caption_ids(["the cat " * 9], tokenizer, 6).tolist()
    assert (ids[0], ids[-1]) == (START, END)
    assert END not in ids[1:-1]


def test_no_captions_give_no_ids(tokenizer: PreTrainedTokenizerBase):
    assert caption_ids([], tokenizer, 6).shape == (0, 6)


def test_sequences_without_room_are_refused(tokenizer: PreTrainedTokenizerBase):
    with pytest.raises(ValueError, match="so 2 tokens or more, got 1"):
        caption_ids(["cat"], tokenizer, 1)
