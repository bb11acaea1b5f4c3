"""A tokenizer as a published folder holds it, of any small size, trained on words that mean nothing."""

import io
import json
import random
from pathlib import Path

from visionllm.weights.published import TOKENS

_LETTERS = "abcdefghijklmnoprstuvw"
_FLAGS = {"lstrip": True, "rstrip": True, "normalized": False, "single_word": False, "special": True}


def write_words(folder: Path, size: int) -> None:
    """Write `tokenizer.model` and `tokenizer_config.json`.

    Args:
        folder: Where.
        size: Pieces of text, about 30 or more; the published added tokens have the ids behind them.
    """
    from sentencepiece import SentencePieceTrainer

    dice = random.Random(0)
    words = ["".join(dice.choices(_LETTERS, k=dice.randint(2, 8))) for _ in range(4 * size)]
    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words[i : i + 8]) for i in range(0, len(words), 8)]),
        model_writer=written,
        model_type="bpe",
        vocab_size=size,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    added = {str(size + number): {"content": token, **_FLAGS} for number, token in enumerate(TOKENS)}
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    known = {"added_tokens_decoder": added, "tokenizer_class": "LlamaTokenizer", "legacy": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(known | roles), encoding="utf-8")
