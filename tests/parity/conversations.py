"""Published conversations as ours: records of `from` and `value` to messages, and ids there and here.

A published text may hold structure as words, such as `[DET]`; ours never does. So the answers' routing tokens with
their slots, and the marked regions and pictures of questions, become parts; other structure in a text stays text.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import PreTrainedTokenizerFast

from tests.parity.golden import Golden
from visionllm.processing import Vocabulary
from visionllm.processing.tokenizer import WordPrefix
from visionllm.types import Mark, Message, Part, Picture, Point, Request, Routed
from visionllm.weights.published import ROUTES
from visionllm.weights.published_words import words_from_published

TABLES = {"det": 4, "pose": 4, "gen": 64, "edit": 64}
_ROUTED = re.compile(r"(?:<det>((?:(?!</?det>).)*)</det>)?(\[(?:DET|GRD|SEG|POSE|GEN|EDIT)\])((?:\[EMB\d?\])+)")
_MARKED = re.compile(r"<image>|<reg>region(\d*)<region></reg>")


def words_folder(golden: Golden, place: Path, *, tokens: Mapping[str, int] | None = None, **settings: object) -> Path:
    """Write the published tokenizer of a set as the released folder holds it: saved and loaded again.

    Args:
        golden: The set.
        place: Where its folder is written.
        tokens: Other added tokens, with their ids.
        settings: Such as the flag `legacy`.
    """
    added = golden.json("cases.json")["token_ids"] if tokens is None else tokens
    flags = {"lstrip": True, "rstrip": True, "normalized": False, "single_word": False, "special": True}
    place.mkdir()
    shutil.copy(golden.path / "tokenizer.model", place)
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    decoder = {str(number): {"content": token, **flags} for token, number in added.items()}
    known = {"added_tokens_decoder": decoder, "tokenizer_class": "LlamaTokenizer"} | roles
    (place / "tokenizer_config.json").write_text(json.dumps(known | settings))
    return place


def words_of(golden: Golden, place: Path, *, legacy: bool) -> tuple[PreTrainedTokenizerFast, WordPrefix]:
    """Read the published tokenizer of a set."""
    return words_from_published(words_folder(golden, place, legacy=legacy))


def vocabulary_of(words: tuple[PreTrainedTokenizerFast, WordPrefix], slots: int = 4) -> Vocabulary:
    """Return our ids of a published tokenizer."""
    tables = TABLES | {"det": slots, "pose": slots}
    return Vocabulary(words[0], tables=tables, routes=ROUTES, word_prefix=words[1])


def ids_here(ids: Sequence[int], labels: Sequence[int], vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """Return published ids and labels as ours: the slots after a routing token have ids of their own, and no labels."""
    routing = {vocabulary.token_id(token): vocabulary.slot_ids(token) for token in vocabulary.routes}
    here, learned = list(ids), list(labels)
    slot_tokens = {vocabulary.token_id(f"[EMB{i}]" if i else "[EMB]") for i in (0, *range(2, 9))}
    for place, token in enumerate(ids):
        slots = routing.get(token, [])
        if slots and set(ids[place + 1 : place + 2]) & slot_tokens:
            assert set(ids[place + 1 : place + 1 + len(slots)]) <= slot_tokens
            here[place + 1 : place + 1 + len(slots)] = slots
            learned[place + 1 : place + 1 + len(slots)] = [-100] * len(slots)
    return here, learned


def answer_parts(text: str) -> tuple[Part, ...]:
    """Return a published answer as parts of ours; words before a bare routing token stay text."""
    parts: list[Part] = []
    done = 0
    for match in _ROUTED.finditer(text):
        parts.append(text[done : match.start()])
        words = match[1] or ""
        parts.append(Routed(words, match[2], wrapped=True if words else None))
        done = match.end()
    parts.append(text[done:])
    return tuple(part for part in parts if part != "")


def question_parts(text: str, *, pictures: bool, template: str) -> tuple[Part, ...]:
    """Return a published question as parts of ours; the line feed after leading pictures is the template's."""
    parts: list[Part] = []
    done = 0
    for match in _MARKED.finditer(text):
        parts.append(text[done : match.start()])
        done = match.end()
        if match[0] != "<image>":
            parts.append(Mark(Point(1, 1), numbered=bool(match[1])))
        elif pictures:
            parts.append(Picture(Image.new("RGB", (8, 8))))
        else:
            parts.append(match[0])
    parts.append(text[done:])
    parts = [part for part in parts if part != ""]
    leading = next((i for i, part in enumerate(parts) if not isinstance(part, Picture)), len(parts))
    if leading and leading < len(parts) and template != "plain":
        first = parts[leading]
        assert isinstance(first, str)
        assert first.startswith("\n"), "expected a line feed after leading pictures"
        parts[leading] = first[1:]  # may be empty: a picture behind it leads no more
    return tuple(parts)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One published conversation.

    Attributes:
        case: As the set stores it.
        template: Name of its template.
    """

    case: Mapping[str, Any]
    template: str

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Role and text of each turn; pictures of later turns are dropped, as the published reader does."""
        said = [(turn["from"], turn["value"]) for turn in self.case["conversations"]]
        if self.case["has_image"]:
            said = [
                (who, text if i == 0 else text.replace("<image>", "").strip()) if "<image>" in text else (who, text)
                for i, (who, text) in enumerate(said)
            ]
        return said[said[0][0] != "human" :]

    @property
    def picture_tokens(self) -> list[int]:
        """Visual tokens of each picture."""
        count = self.case["image_token_len"]
        return list(count) if isinstance(count, list) else [count]

    @property
    def odd(self) -> str:
        """Why ours reads it otherwise, or nothing.

        Texts that hold structure are text in ours; conversations that are too long are refused, not cut; an empty
        question or answer and one that ends with a question are no lesson.
        """
        added = re.compile(r"<(?:s|/s|unk|image|im_patch|region|/?reg|/?det|/?grd|/?img)>|\[(?:[A-Z]+\d?)\]|<\|\w+\|>")
        texts = [text for _, text in self.turns]
        left = [_ROUTED.sub("", _MARKED.sub("", text)) for text in texts]
        if any(added.search(text) for text in left):
            return "structure in a text"
        if any(not text.strip() for text in texts) or self.turns[-1][0] == "human":
            return "an empty turn, or no answer"
        if self.case["has_image"] != any("<image>" in text for text in texts):
            return "a mark without a picture, or a picture without a mark"
        return ""

    def request(self) -> tuple[Request, tuple[Part, ...]]:
        """Return the conversation up to its last question, and the last answer."""
        messages = []
        for who, text in self.turns:
            if who == "human":
                parts = question_parts(text, pictures=self.case["has_image"], template=self.template)
                messages.append(Message("user", parts))
            else:
                messages.append(Message("assistant", answer_parts(text)))
        *asked, answer = messages
        return Request(tuple(asked)), answer.parts
