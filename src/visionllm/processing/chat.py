"""Conversations → ids: templates as data, structure as ids that only the processor inserts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from visionllm.config import IMAGE_TOKEN
from visionllm.processing.tokenizer import Vocabulary
from visionllm.types import Mark, Part, Picture, Request, Routed

IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """How a conversation is written down.

    A piece that is a special token of the tokenizer becomes its id; any other piece is text.

    Attributes:
        name: For people.
        system: System words of a conversation that brings none.
        begin: Pieces before everything.
        system_close: Pieces after the system words, left out where there are none.
        user_open: Pieces before a user message.
        picture_close: Pieces after the leading pictures of a user message.
        assistant_open: Pieces between a question and its answer.
        answer_open: Text before the words of an answer.
        answer_close: Pieces after an answer; the model learns to write them.
        wrap: Routed words are wrapped in `<det>…</det>`.
        joint: Neighbouring texts are tokenised together, and blanks beside region and routing tokens are swallowed, as
            published checkpoints expect; otherwise every text is tokenised by itself and kept as it is.
    """

    name: str
    system: str = ""
    begin: tuple[str, ...] = ("<s>",)
    system_close: tuple[str, ...] = ()
    user_open: tuple[str, ...] = ()
    picture_close: tuple[str, ...] = ()
    assistant_open: tuple[str, ...] = ()
    answer_open: str = ""
    answer_close: tuple[str, ...] = ("</s>",)
    wrap: bool = True
    joint: bool = False


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
        self.opens_text = {vocabulary.bos_id, vocabulary.token_id(IMAGE_TOKEN)}

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
        self.first = bool(ids) and ids[-1] in self.opens_text

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
    """
    pen = _Pen(vocabulary, template)
    script = _Script(pen, picture_tokens)
    messages = list(request.messages)
    pen.pieces(template.begin)
    system = messages.pop(0).text if messages[0].role == "system" else template.system
    if system:
        pen.text(system)
        pen.pieces(template.system_close)
    for message in messages:
        if message.role == "user":
            script.user(message.parts)
        else:
            script.answer(message.parts, history=True, learn=False)
            pen.pieces(template.answer_close)
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

    def user(self, parts: Sequence[Part]) -> None:
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
                pen.text(part)
        if self.pictures:
            pen.written.turn_pictures[self.turn] = self.pictures - 1 if self.marked is None else self.marked
        pen.pieces(template.assistant_open)

    def _picture(self) -> None:
        self.pen.structure([self.patch] * self.picture_tokens[self.pictures])
        self.pictures += 1

    def _mark(self, mark: Mark) -> None:
        pen = self.pen
        self.regions += 1
        pen.structure([self.region_open], swallow=True)
        pen.text(f"region{self.regions}")
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
        wrap = pen.template.wrap and part.text
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
