"""A language model's tokenizer with the structure tokens added, as the published code adds them."""

from dataclasses import dataclass, replace
from pathlib import Path

from transformers import AddedToken, PreTrainedTokenizerFast

from visionllm.config.strict import check_names
from visionllm.processing import VICUNA_V1, ChatTemplate
from visionllm.processing.tokenizer import WordPrefix
from visionllm.weights.building.settings import without_notes
from visionllm.weights.folder import read_json, silence
from visionllm.weights.published import TOKENS
from visionllm.weights.published_words import MODEL as SENTENCEPIECE
from visionllm.weights.published_words import SETTINGS, words_from_published

FAST = "tokenizer.json"
PAD = "[PAD]"
ROLES = ("bos", "eos", "unk", "sep", "cls", "mask", "pad")


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of a model.

    Attributes:
        tokenizer: With all structure tokens.
        prefix: Which runs of text begin a word.
        own: Ids below this one were the language model's before.
        added: The structure tokens that it did not have.
        template: The published conversation, between the tokenizer's own begin and end.
        notes: What a user should know.
    """

    tokenizer: PreTrainedTokenizerFast
    prefix: WordPrefix
    own: int
    added: tuple[str, ...]
    template: ChatTemplate
    notes: tuple[str, ...] = ()


def read_words(folder: Path) -> Words:
    """Read a language model's tokenizer, and add the structure tokens that it lacks.

    Args:
        folder: Holds `tokenizer.json`, or else `tokenizer.model` of SentencePiece beside `tokenizer_config.json`.

    Raises:
        ValueError: If there is none, its settings choose code, it ends no text, or one of its own tokens is called like
            one of ours and means something else.
    """
    tokenizer, prefix = _read(folder)
    own = 1 + max(tokenizer.get_vocab().values())
    _check_roles(tokenizer, folder)
    notes = _fill_roles(tokenizer, folder)
    missing = [token for token in TOKENS if token not in tokenizer.get_vocab()]
    tokenizer.add_tokens(
        [AddedToken(token, special=True, normalized=False, lstrip=True, rstrip=True) for token in missing],
        special_tokens=True,
    )
    for token in missing:
        if tokenizer.get_vocab()[token] < own:
            raise ValueError(f"expected ids without gaps in the tokenizer of {folder}, got none left for {token}")
    begin, end = (_said(tokenizer, role, folder) for role in ("bos", "eos"))
    return Words(
        tokenizer=tokenizer,
        prefix=prefix,
        own=own,
        added=tuple(missing),
        template=replace(VICUNA_V1, begin=(begin,), answer_close=(end,)),
        notes=notes,
    )


def _read(folder: Path) -> tuple[PreTrainedTokenizerFast, WordPrefix]:
    settings = folder / SETTINGS
    if settings.is_file():
        check_names(without_notes(read_json(settings)), str(settings))
    if (folder / FAST).is_file():
        if "model" not in read_json(folder / FAST):
            raise ValueError(f"expected {folder / FAST} to hold a tokenizer with a model, got none")
        with silence():
            tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
        tokenizer.chat_template = None  # it would be a program, and our conversations have a template of their own
        return tokenizer, "none"
    if (folder / SENTENCEPIECE).is_file():
        return words_from_published(folder)
    raise ValueError(f"expected {FAST} or {SENTENCEPIECE} in {folder}, got neither")


def _check_roles(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Refuse tokens of ours that the tokenizer has for something else.

    Raises:
        ValueError: Naming the token, and what it is.
    """
    words, special = tokenizer.get_vocab(), {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
    for token in TOKENS:
        roles = [role for role in ROLES if getattr(tokenizer, f"{role}_token", None) == token]
        if token == PAD and roles == ["pad"]:
            continue
        if token in words and (roles or token not in special):
            what = f"its {roles[0]} token" if roles else "a word of text"
            raise ValueError(f"expected {token} to be free for us in the tokenizer of {folder}, got it as {what}")


def _fill_roles(tokenizer: PreTrainedTokenizerFast, folder: Path) -> tuple[str, ...]:
    """Give the tokenizer a begin and a padding, and tell which."""
    notes = []
    if tokenizer.eos_token is None:
        raise ValueError(f"expected an eos_token in the tokenizer of {folder}, got none")
    if tokenizer.bos_token is None:
        tokenizer.bos_token = tokenizer.eos_token
        notes.append(f"the tokenizer has no bos_token: conversations begin with {tokenizer.eos_token}")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or PAD
        notes.append(f"the tokenizer has no pad_token: rows are filled with {tokenizer.pad_token}")
    return tuple(notes)


def _said(tokenizer: PreTrainedTokenizerFast, role: str, folder: Path) -> str:
    """Return a token that templates can name: one that is structure, never text."""
    token = str(getattr(tokenizer, f"{role}_token"))
    if token not in tokenizer.get_added_vocab():
        raise ValueError(f"expected the {role}_token {token} among the special tokens of {folder}, got it as a word")
    return token
