"""Text ↔ ids. User text is never structure: it is encoded by a tokenizer that knows no special token."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal, get_args

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from visionllm.types.tensors import Route

STRUCTURE_TOKENS: tuple[str, ...] = (
    "[PAD]",
    "<image>",
    "<im_patch>",
    "<region>",
    "<img>",
    "</img>",
    "<reg>",
    "</reg>",
    "<det>",
    "</det>",
    "<grd>",
    "</grd>",
    "[DET]",
    "[GRD]",
    "[SEG]",
    "[POSE]",
    "[GEN]",
    "[EDIT]",
)
ROLE_TOKENS: tuple[str, ...] = ("<s>", "</s>", "<user>", "<assistant>")
WordPrefix = Literal["none", "first", "each"]
"""Which runs of text get the mark of a word's beginning before them: none, the first after `<s>` or a picture, each."""
WORD_MARK = "▁"
_WORDS = r" ?\p{L}+| ?\p{N}|[.!?]| ?[^\s\p{L}\p{N}.!?]+|\s+(?!\S)|\s+"
_SENTENCE_END = re.compile(r"""\s*[^\w\s]*[.!?]["')\]]*\s*""")
_CACHE_SIZE = 1 << 16


def train_tokenizer(
    lines: Iterable[str], vocab_size: int, *, routing_tokens: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    """Train a small byte-level BPE that gives every text back exactly, and add the structure tokens.

    Words keep their leading blank; digits and the marks . ! ? are always tokens of their own.

    Args:
        lines: Text to learn from.
        vocab_size: Most tokens, structure included.
        routing_tokens: Those of decoders that are not among ours.

    Returns:
        A tokenizer with `<s>`, `</s>` and `[PAD]` as its special tokens.

    Raises:
        ValueError: If the bytes and the structure alone need more tokens.
    """
    structure = tuple(dict.fromkeys((*ROLE_TOKENS, *STRUCTURE_TOKENS, *routing_tokens)))
    if vocab_size < 256 + len(structure):
        raise ValueError(f"expected vocab_size of at least {256 + len(structure)}, got {vocab_size}")
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(structure),
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator(lines, trainer)
    words.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in structure])
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="[PAD]")


def _role_id(tokenizer: PreTrainedTokenizerFast, role: str) -> int:
    found = getattr(tokenizer, f"{role}_token_id")
    if found is None:
        raise ValueError(f"expected a {role} token in the tokenizer, got none")
    return found


class Vocabulary:
    """The id space: text and structure tokens, then one row a super-link slot.

    Args:
        tokenizer: Any fast tokenizer that holds the structure tokens.
        tables: Slots of each table, in the order of their rows, such as `{"det": 4, "pose": 4}`.
        routes: Which routing token draws from which table.
        size: Rows of the text vocabulary; None takes the tokenizer's length.
        word_prefix: Which runs of text begin a word, for tokenizers of SentencePiece; see `WordPrefix`.

    Raises:
        ValueError: If a structure token is missing, a route names no table, `size` is too small, or `word_prefix` is
            unknown.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        *,
        tables: Mapping[str, int],
        routes: Sequence[Route],
        size: int | None = None,
        word_prefix: WordPrefix = "none",
    ) -> None:
        if word_prefix not in get_args(WordPrefix):
            raise ValueError(f"expected word_prefix among {', '.join(get_args(WordPrefix))}, got {word_prefix!r}")
        self.tokenizer, self.word_prefix = tokenizer, word_prefix
        self.tables = dict(tables)
        self.routes = {route.token: route for route in routes}
        self.size = len(tokenizer) if size is None else size
        if self.size < len(tokenizer):
            raise ValueError(
                f"expected a vocabulary of at least {len(tokenizer)} rows, the tokenizer's, got {self.size}"
            )
        self._added = tokenizer.get_added_vocab()
        self._special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._special |= {*STRUCTURE_TOKENS, *self.routes}
        needed = ("<im_patch>", "<region>", "<reg>", "</reg>", *self.routes)
        missing = [token for token in needed if token not in self._added]
        if missing:
            raise ValueError(f"expected the structure tokens {', '.join(missing)} in the tokenizer, got none")
        self.bos_id, self.eos_id, self.pad_id = (_role_id(tokenizer, role) for role in ("bos", "eos", "pad"))
        first, self._slots = self.size, {}
        for table, count in self.tables.items():
            self._slots[table] = list(range(first, first + count))
            first += count
        self.total_size = first
        for route in routes:
            if route.table not in self.tables:
                raise ValueError(
                    f"expected the table of {route.token} to be one of {', '.join(self.tables)}, got {route.table!r}"
                )
        self._words = self._without_structure()
        self._known: dict[str, tuple[int, ...]] = {}

    def _without_structure(self) -> Tokenizer:
        """Return the same tokenizer without special tokens, so that no text can name one."""
        plain = json.loads(self.tokenizer.backend_tokenizer.to_str())
        plain["added_tokens"] = [t for t in plain["added_tokens"] if t["content"] not in self._special]
        plain["post_processor"] = plain["truncation"] = plain["padding"] = None
        return Tokenizer.from_str(json.dumps(plain))

    def token_id(self, token: str) -> int:
        """Return the id of an added token, such as `"<im_patch>"`.

        Raises:
            ValueError: If the tokenizer has no such added token.
        """
        if token not in self._added:
            raise ValueError(f"expected an added token of the tokenizer, got {token!r}")
        return self._added[token]

    def is_structure(self, piece: str) -> bool:
        """Tell whether a piece of a template is a token by itself rather than text."""
        return piece in self._added and piece in self._special

    def slot_ids(self, token: str) -> list[int]:
        """Return the slot ids that follow a routing token.

        Raises:
            ValueError: If the token routes nowhere.
        """
        if token not in self.routes:
            raise ValueError(f"expected a routing token, one of {', '.join(self.routes)}, got {token!r}")
        return self._slots[self.routes[token].table]

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids that text never encodes to."""
        return frozenset(self._added[token] for token in self._special if token in self._added)

    @cached_property
    def swallows_blanks(self) -> bool:
        """Whether routing tokens take the blanks beside them away, as those of the published tokenizer do."""
        return any(
            token.lstrip or token.rstrip
            for token in self.tokenizer.added_tokens_decoder.values()
            if token.content in self.routes
        )

    @cached_property
    def structure_ids(self) -> dict[str, int]:
        """Ids of the structure tokens that the tokenizer has, by name."""
        return {token: self._added[token] for token in (*STRUCTURE_TOKENS, *self.routes) if token in self._added}

    @cached_property
    def never_sampled_ids(self) -> frozenset[int]:
        """Ids that an answer never holds: structure that only the processor inserts."""
        said = {self._added.get(token) for token in ("<det>", "</det>", *self.routes)}
        return self.special_ids - said - {self.eos_id}

    @cached_property
    def sentence_end_ids(self) -> frozenset[int]:
        """Ids that end a sentence: . ! and ?, alone or with a closing quote or bracket, and the end of a turn."""
        ends = (i for i in range(len(self.tokenizer)) if _SENTENCE_END.fullmatch(self._words.decode([i])))
        return frozenset(ends) - self.special_ids | {self.eos_id}

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of text; nothing in it is read as structure.

        Raises:
            ValueError: If the text cannot be written as UTF-8.
        """
        ids = self._known.get(text)
        if ids is None:
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            ids = self._known[text] = tuple(token for token, _ in self.encoding(text))
        return ids

    def encoding(self, text: str, *, first: bool = False) -> list[tuple[int, int]]:
        """Return each id with the number of characters of the text up to its end, uncached.

        Args:
            text: A run of text between structure tokens.
            first: It is the first one after `<s>` or a picture; see `WordPrefix`.

        Raises:
            ValueError: If the text cannot be written as UTF-8, or the tokenizer reads structure in it all the same.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"expected text that can be written as UTF-8, got a lone surrogate at character {error.start}"
            ) from None
        begins = self.word_prefix == "each" or (first and self.word_prefix == "first")
        mark = WORD_MARK if text and begins else ""
        encoding = self._words.encode(mark + text, add_special_tokens=False)
        if not self.special_ids.isdisjoint(encoding.ids):
            raise ValueError("expected a tokenizer that reads no structure in plain text, got one that does")
        ends = (max(0, stop - len(mark)) for _, stop in encoding.offsets)
        return list(zip(encoding.ids, ends, strict=True))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; structure and slots are left out.

        The runs of text between structure that takes blanks away are decoded one by one, each without the mark of its
        beginning, and a blank stands again where two of them would make one word.

        Source: the published tokenizer, which puts a blank between a run and an added token. Differs: none before
        marks such as a comma, because the added token is left out.
        """
        runs: list[list[int]] = [[]]
        for token in ids:
            if token < self.size and token not in self.special_ids:
                runs[-1].append(token)
            elif self.swallows_blanks and runs[-1]:
                runs.append([])
        text = ""
        for run in runs:
            words = self._words.decode(run, skip_special_tokens=False)
            text += " " + words if _parted(text, words) else words
        return text


def _parted(before: str, after: str) -> bool:
    """Tell whether a blank belongs between two runs of text."""
    return after[:1].isalnum() and bool(before) and not (before[-1].isspace() or before[-1] in "([{-/'\"“")
