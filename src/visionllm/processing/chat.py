"""Conversations → ids: templates as data, structure as ids that only the processor inserts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from visionllm.config import IMAGE_TOKEN
from visionllm.processing.tokenizer import Vocabulary
from visionllm.types import Mark, Part, Picture, Request, Routed

IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """How a conversation is written down.

    A piece that is a special token of the tokenizer becomes its id; any other piece is text.

    Source: the released conversation templates; an answer ends where `answer_close` begins, so its token is one of the
    ids at which a model of this template stops.

    Attributes:
        name: For people, and in `TEMPLATES`.
        system: System words of a conversation that brings none.
        begin: Pieces before everything.
        system_open: Pieces before the system words, left out where there are none.
        system_close: Pieces after the system words, left out where there are none.
        user_open: Pieces before a user message.
        picture_close: Pieces after the leading pictures of a user message.
        picture_wrap: Structure tokens before and after each picture, or none.
        assistant_open: Pieces between a question and its answer.
        answer_open: Text before the words of an answer.
        answer_close: Pieces after an answer; the model learns to write them.
        wrap: Routed words are wrapped in `<det>…</det>`, unless they say otherwise themselves (`Routed.wrapped`).
        joint: Neighbouring texts are tokenised together, and blanks beside region and routing tokens are swallowed, as
            published checkpoints expect; otherwise every text is tokenised by itself and kept as it is.
        caption_only: Pictures with their caption and no roles, as a projector is trained on: exactly one round, whose
            question may have no words and is learned like the answer. Pictures swallow the blanks beside them.
    """

    name: str
    system: str = ""
    begin: tuple[str, ...] = ("<s>",)
    system_open: tuple[str, ...] = ()
    system_close: tuple[str, ...] = ()
    user_open: tuple[str, ...] = ()
    picture_close: tuple[str, ...] = ()
    picture_wrap: tuple[str, ...] = ()
    assistant_open: tuple[str, ...] = ()
    answer_open: str = ""
    answer_close: tuple[str, ...] = ("</s>",)
    wrap: bool = True
    joint: bool = False
    caption_only: bool = False

    def __post_init__(self) -> None:
        if len(self.picture_wrap) not in (0, 2):
            raise ValueError(f"expected two tokens in picture_wrap, or none, got {len(self.picture_wrap)}")


TINY = ChatTemplate(name="tiny", system_close=("\n",), user_open=("<user>",), assistant_open=("<assistant>",))
VICUNA_V1 = ChatTemplate(
    name="vicuna_v1",
    system=(
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions."
    ),
    system_close=(" ",),
    user_open=("USER: ",),
    picture_close=("\n",),
    assistant_open=(" ASSISTANT:",),
    answer_open=" ",
    wrap=False,
    joint=True,
)
PLAIN = ChatTemplate(name="plain", answer_close=("\n",), wrap=False, joint=True, caption_only=True)
INTERNLM2_CHAT = ChatTemplate(
    name="internlm2_chat",
    system="You are an AI assistant whose name is InternLM (书生·浦语).",
    system_open=("<|im_start|>", "system\n"),
    system_close=("<|im_end|>",),
    user_open=("<|im_start|>", "user\n"),
    picture_close=("\n",),
    assistant_open=("<|im_end|>", "<|im_start|>", "assistant\n"),
    answer_close=("<|im_end|>",),
    wrap=False,
    joint=True,
)
TEMPLATES = MappingProxyType({template.name: template for template in (TINY, VICUNA_V1, PLAIN, INTERNLM2_CHAT)})
"""Every template by its name."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """One routing token with its slots.

    Attributes:
        token: The routing token.
        position: Its index in the ids.
        span: Its number among the routed spans of the answer, or None in the history.
    """

    token: str
    position: int
    span: int | None


@dataclass(kw_only=True, eq=False)
class Written:
    """A conversation as ids.

    Attributes:
        ids: Token ids.
        labels: The ids that are learned, −100 elsewhere; not shifted.
        turns: 0 before the first question, k inside the k-th turn.
        groups: Routing tokens in order.
        turn_pictures: Picture that each turn decodes on, by turn.
    """

    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    turn_pictures: dict[int, int] = field(default_factory=dict)

    @property
    def shared(self) -> int:
        """Number of ids before the first question."""
        return self.turns.count(0)


class _Pen:
    """Writes texts and ids one after the other."""

    def __init__(self, vocabulary: Vocabulary, template: ChatTemplate) -> None:
        self.vocabulary, self.template = vocabulary, template
        self.written = Written()
        self.turn = 0
        self.waiting: list[tuple[str, bool]] = []
        self.swallows = False
        self.first = True

    def text(self, text: str, *, learn: bool = False) -> None:
        if self.template.joint:
            self.waiting.append((text, learn))
        else:
            self._put(self.vocabulary.encode(text), learn=learn)

    def structure(self, ids: Sequence[int], *, learn: bool = False, swallow: bool = False) -> None:
        """Write ids; with `swallow` blanks of the texts beside them vanish (in joint templates)."""
        self.settle(before=swallow)
        self._put(ids, learn=learn)
        self.swallows = swallow
        self.first = bool(ids) and ids[-1] == self.vocabulary.bos_id

    def pieces(self, pieces: Sequence[str], *, learn: bool = False) -> None:
        for piece in pieces:
            if self.vocabulary.is_structure(piece):
                self.structure([self.vocabulary.token_id(piece)], learn=learn)
            else:
                self.text(piece, learn=learn)

    def settle(self, *, before: bool = False) -> None:
        """Tokenise the texts that wait, together."""
        if not self.waiting:
            return
        run = "".join(text for text, _ in self.waiting)
        learned = [learn for text, learn in self.waiting for _ in text]
        start, end = 0, len(run)
        if self.swallows:
            start = len(run) - len(run.lstrip())
        if before:
            end = max(start, len(run.rstrip()))
        self.waiting.clear()
        self.swallows = False
        if start == end:
            return
        for token, stop in self.vocabulary.encoding(run[start:end], first=self.first):
            self._put([token], learn=learned[max(0, start + stop - 1)])
        self.first = False

    def _put(self, ids: Sequence[int], *, learn: bool) -> None:
        self.written.ids += ids
        self.written.labels += ids if learn else [IGNORED] * len(ids)
        self.written.turns += [self.turn] * len(ids)


def write(
    request: Request,
    vocabulary: Vocabulary,
    template: ChatTemplate,
    picture_tokens: Sequence[int],
    *,
    answer: Sequence[Part] | None = None,
    close: bool = False,
    learn: bool = False,
    learn_history: bool = False,
) -> Written:
    """Write a checked request down, up to the opened answer.

    Args:
        request: The conversation.
        vocabulary: Ids.
        template: Spacing and roles.
        picture_tokens: Number of visual tokens of each picture of the request.
        answer: Parts that follow the opened answer: all of it, or its beginning.
        close: End the answer.
        learn: The answer's words, routing tokens and end become labels.
        learn_history: So do those of the earlier answers.

    Raises:
        ValueError: If the template takes one round, and there are several.
    """
    pen = _Pen(vocabulary, template)
    script = _Script(pen, picture_tokens)
    messages = list(request.messages)
    pen.pieces(template.begin)
    system = messages.pop(0).text if messages[0].role == "system" else template.system
    if template.caption_only and len(messages) != 1:
        raise ValueError(f"expected one question in a conversation of the template {template.name}, got more turns")
    if system:
        pen.pieces(template.system_open)
        pen.text(system)
        pen.pieces(template.system_close)
    for message in messages:
        if message.role == "user":
            script.user(message.parts, learn=learn and template.caption_only)
        else:
            script.answer(message.parts, history=True, learn=learn_history)
            pen.pieces(template.answer_close, learn=learn_history)
    if answer is not None:
        script.answer(answer, history=False, learn=learn)
        if close:
            pen.pieces(template.answer_close, learn=learn)
    pen.settle()
    return pen.written


class _Script:
    """Writes the messages of one conversation with a pen, and keeps count of pictures and regions."""

    def __init__(self, pen: _Pen, picture_tokens: Sequence[int]) -> None:
        self.pen, self.picture_tokens = pen, picture_tokens
        vocabulary = pen.vocabulary
        self.patch, self.region = vocabulary.token_id(IMAGE_TOKEN), vocabulary.token_id("<region>")
        self.region_open, self.region_close = vocabulary.token_id("<reg>"), vocabulary.token_id("</reg>")
        self.pictures = self.regions = self.turn = 0
        self.marked: int | None = None

    def user(self, parts: Sequence[Part], *, learn: bool = False) -> None:
        pen, template = self.pen, self.pen.template
        self.turn += 1
        if self.turn > 1:
            pen.settle()
            pen.turn = self.turn
        self.marked = None
        pen.pieces(template.user_open)
        leading = next((i for i, part in enumerate(parts) if not isinstance(part, Picture)), len(parts))
        for _ in parts[:leading]:
            self._picture()
        pen.turn = self.turn
        if leading:
            pen.pieces(template.picture_close)
        for part in parts[leading:]:
            if isinstance(part, Picture):
                self._picture()
                self.marked = None  # what was marked before a new picture is an example for it
            elif isinstance(part, Mark):
                self._mark(part)
            elif isinstance(part, str):
                pen.text(part, learn=learn)
        if self.pictures:
            pen.written.turn_pictures[self.turn] = self.pictures - 1 if self.marked is None else self.marked
        pen.pieces(template.assistant_open)

    def _picture(self) -> None:
        pen, template = self.pen, self.pen.template
        wrap = [pen.vocabulary.token_id(token) for token in template.picture_wrap]
        patches = [self.patch] * self.picture_tokens[self.pictures]
        pen.structure([*wrap[:1], *patches, *wrap[1:]], swallow=template.caption_only)
        pen.first = not template.caption_only
        self.pictures += 1

    def _mark(self, mark: Mark) -> None:
        pen = self.pen
        self.regions += 1
        pen.structure([self.region_open], swallow=True)
        pen.text(f"region{self.regions}" if mark.numbered else "region")
        pen.structure([self.region, self.region_close], swallow=True)
        self.marked = self.pictures - 1 if mark.picture is None else mark.picture

    def answer(self, parts: Sequence[Part], *, history: bool, learn: bool) -> None:
        pen, template = self.pen, self.pen.template
        if template.answer_open:
            pen.text(template.answer_open, learn=learn)
        span = 0
        for part in parts:
            if isinstance(part, str):
                pen.text(part, learn=learn)
            elif isinstance(part, Routed):
                self._routed(part, None if history else span, learn)
                span += 1

    def _routed(self, part: Routed, span: int | None, learn: bool) -> None:
        pen, vocabulary = self.pen, self.pen.vocabulary
        wrap = part.text and (pen.template.wrap if part.wrapped is None else part.wrapped)
        if wrap:
            pen.structure([vocabulary.token_id("<det>")], learn=learn, swallow=True)
        if part.text:
            pen.text(part.text, learn=learn)
        if wrap:
            pen.structure([vocabulary.token_id("</det>")], learn=learn, swallow=True)
        pen.structure([vocabulary.token_id(part.token)], learn=learn, swallow=True)
        group = Group(token=part.token, position=len(pen.written.ids) - 1, span=span)
        pen.written.groups.append(group)
        pen.structure(vocabulary.slot_ids(part.token), swallow=True)
