"""The published tokenizer as a fast one that reads no structure in text, and gives the published ids.

The published tokenizer is a slow one of SentencePiece, which no library reads as it was any more: whether a run of text
between added tokens begins a word depends on its `legacy` flag, and runs that begin with a blank begin one besides.
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import LlamaTokenizer, PreTrainedTokenizerFast

from visionllm.processing.tokenizer import WORD_MARK, WordPrefix
from visionllm.weights.folder import read_json

MODEL, SETTINGS = "tokenizer.model", "tokenizer_config.json"


def words_from_published(folder: Path) -> tuple[PreTrainedTokenizerFast, WordPrefix]:
    """Read a published folder's tokenizer.

    Args:
        folder: Holds `tokenizer.model` and `tokenizer_config.json`.

    Returns:
        The tokenizer, and which runs of text begin a word; without a `legacy` flag each does.

    Raises:
        ValueError: If a file is missing or damaged, or the package sentencepiece is not installed.
    """
    settings = read_json(folder / SETTINGS)
    legacy = settings.get("legacy", True)
    if not isinstance(legacy, bool | None):
        raise ValueError(f"expected legacy in {folder / SETTINGS} to be true or false, got {legacy!r}")
    if not (folder / MODEL).is_file():
        raise ValueError(f"expected file {MODEL} in {folder}, got none")
    try:
        import sentencepiece  # noqa: F401 – the converter asks for it, and says something else without it
    except ImportError as error:
        raise ValueError(
            "expected the package sentencepiece, which reads the tokenizer: pip install 'visionllm-v2[convert]'"
        ) from error
    slow = LlamaTokenizer.from_pretrained(str(folder), local_files_only=True)
    plain: dict[str, Any] = json.loads(slow.backend_tokenizer.to_str())
    plain["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": WORD_MARK}
    plain["pre_tokenizer"] = plain["post_processor"] = None
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(plain)),
        bos_token=slow.bos_token,
        eos_token=slow.eos_token,
        unk_token=slow.unk_token,
        pad_token=slow.unk_token,
    )
    return fast, "first" if legacy is False else "each"
