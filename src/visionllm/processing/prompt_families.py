"""Task families of the published model with their questions and answers, read from `recipes/published/prompts.toml`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from visionllm.processing.plain import from_plain

PLACEHOLDERS = frozenset(
    {"names", "phrase", "keypoints", "regions", "region", "count"}
    | {"caption", "wish", "question", "choices", "words", "routed"}
)
_HELD = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, kw_only=True)
class PromptFamily:
    """How one kind of task is asked for and answered.

    Attributes:
        questions: As released checkpoints have seen them; every published number was measured with the first.
        answers: Likewise; empty where the answer is free text.
        own_questions: More ways to ask, of this project.
        own_answers: More ways to answer.
        token: What an answer routes to, or nothing.
        follows: Name of the family that question and answer follow, one blank behind, or nothing.
        names: What is always asked for, the first as measured; empty where the user says it.
        lower_names: Names are in small letters in the question.
        numbered: Regions carry their number.

    Raises:
        ValueError: If there is no question, a placeholder is unknown, or a routed answer routes nothing.
    """

    questions: tuple[str, ...]
    answers: tuple[str, ...] = ()
    own_questions: tuple[str, ...] = ()
    own_answers: tuple[str, ...] = ()
    token: str = ""
    follows: str = ""
    names: tuple[str, ...] = ()
    lower_names: bool = False
    numbered: bool = True

    def __post_init__(self) -> None:
        if not self.questions:
            raise ValueError("expected at least one question in a prompt family, got none")
        for prompt in (*self.questions, *self.own_questions, *self.answers, *self.own_answers):
            held = _HELD.findall(prompt)
            if unknown := sorted(set(held) - PLACEHOLDERS):
                raise ValueError(f"expected known placeholders in {prompt!r}, got {{{unknown[0]}}}")
            if len(set(held)) != len(held):
                raise ValueError(f"expected each placeholder once in {prompt!r}, got one twice")
        for answer in (*self.answers, *self.own_answers):
            if bool(self.token) != ("{routed}" in answer or "{words}" in answer):
                raise ValueError(f"expected {{routed}} in an answer that routes, and in no other, got {answer!r}")

    @property
    def question(self) -> str:
        """The question that was measured."""
        return self.questions[0]

    @property
    def answer(self) -> str:
        """The answer that was measured.

        Raises:
            ValueError: If the family is answered by free text.
        """
        if not self.answers:
            raise ValueError("expected a family with an answer of its own, got one that is answered by free text")
        return self.answers[0]


def read_families(text: str) -> Mapping[str, PromptFamily]:
    """Read prompt families from TOML, one table each.

    Raises:
        ValueError: If it is no TOML, a key is unknown, a value is wrong, or a family follows one that is not there.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"expected TOML with prompt families, got something else: {error}") from None
    families = {name: from_plain(PromptFamily, table, f"prompts:{name}") for name, table in raw.items()}
    for name, family in families.items():
        if family.follows and family.follows not in families:
            raise ValueError(f"expected a family that {name} can follow, got {family.follows!r}")
    return MappingProxyType(families)


def _published() -> Mapping[str, PromptFamily]:
    return read_families((files("visionllm") / "recipes" / "published" / "prompts.toml").read_text(encoding="utf-8"))


FAMILIES = _published()
"""The families of the published model, by name."""
