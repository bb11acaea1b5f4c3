"""Generated ids and decoded results → an answer: text without structure, and instances that know their words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from visionllm.processing import PUBLISHED, Prompts, Vocabulary
from visionllm.processing.prompt_families import FAMILIES
from visionllm.types import (
    Answer,
    Detections,
    FinishReason,
    GeneratedImages,
    Message,
    Poses,
    Result,
    Routed,
    bones_among,
    merge_detections,
)

OPEN, CLOSE, GROUNDING, KEYPOINTS = "<det>", "</det>", "[GRD]", "[POSE]"
FAMILY_LEADS = tuple(
    answer.split("{routed}")[0]
    for family in FAMILIES.values()
    for answer in (*family.answers, *family.own_answers)
    if "{routed}" in answer
)
"""How routed answers of the published model begin, those included that are no template of a processor."""
_REGION = re.compile(r"region\d+")
_CLAUSE = re.compile(r".*(?:[,;:.!?]\s|\n|\band\s)", re.DOTALL)
_REFERRING = re.compile(
    r"(?:please,?\s|(?:can|could|would)\syou\s(?:please\s)?)*"
    r"(?:find|locate|show\sme(?:\swhere)?|point\s(?:to|at|out)|pick\sout|segment|where\s(?:is|are)|"
    r"where\s(?:can|do)\s(?:i|we|you)\s(?:find|see|locate))\s(?P<phrase>.+?)"
    r"(?:\s(?:is|are)|\s(?:with)?in\sthe\s(?:image|picture))*[\s.?!]*",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class RoutedSpan:
    """Words of an answer that opened a decoder.

    Attributes:
        token: The routing token.
        label: What the words name; for `[GRD]` the user's phrase.
        span: (start, end) in the characters of the answer's text.
        position: Index of the routing token among the answer's ids.
    """

    token: str
    label: str
    span: tuple[int, int]
    position: int

    @property
    def means_one(self) -> bool:
        """Whether the words mean exactly one thing, as `[GRD]` and the name of a region do."""
        return self.token == GROUNDING or _REGION.fullmatch(self.label) is not None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """An answer's ids, read.

    Attributes:
        text: Without structure.
        parts: The same as parts of a message; empty if nothing is routed.
        routed: The routed spans, in order.
    """

    text: str
    parts: tuple[str | Routed, ...]
    routed: tuple[RoutedSpan, ...]


def read_answer(
    ids: Sequence[int], vocabulary: Vocabulary, *, prompts: Prompts = PUBLISHED, question: str = ""
) -> Reading:
    """Read the ids of an answer.

    Our own answers wrap what they route in `<det>…</det>`. Others are matched by the templates of known-class answers,
    else the words since the last comma are taken. A `[GRD]` is called by the user's phrase.

    Args:
        ids: What the model wrote, slots included.
        vocabulary: Ids of the text and of the structure.
        prompts: Known answers of the model.
        question: The words that were answered.
    """
    raw, marks = _marks(ids, vocabulary)
    begins = [0, *(mark.place for mark in marks)]
    found = [_find(raw, begin, mark, prompts) for begin, mark in zip(begins, marks, strict=False)]
    gone = _idle_blanks(raw, found)
    text = "".join(letter for place, letter in enumerate(raw) if place not in gone)

    def moved(place: int) -> int:
        return place - sum(1 for blank in gone if blank < place)

    routed = []
    for place in found:
        span = (moved(place.clause[0]), moved(place.clause[1]))
        words = None if place.token == GROUNDING else place.words
        label = phrase_of(question, prompts) if words is None else raw[slice(*words)]
        routed.append(RoutedSpan(token=place.token, label=label, span=span, position=place.position))
    return Reading(text=text, parts=tuple(_parts(raw, found)) if found else (), routed=tuple(routed))


def phrase_of(question: str, prompts: Prompts = PUBLISHED) -> str:
    """Return the words of a question that say what is looked for; all of them where no common form fits.

    >>> (
    ...     phrase_of("Where is the red star?"),
    ...     phrase_of("Show me where the cup is."),
    ...     phrase_of("What could you sail in?"),
    ... )
    ('the red star', 'the cup', 'What could you sail in')
    """
    words = question.strip()
    before, after = prompts.refer.split("{phrase}")
    if words.startswith(before) and words.endswith(after) and len(words) > len(before) + len(after):
        return words[len(before) : len(words) - len(after)]
    match = _REFERRING.fullmatch(words)
    return match["phrase"] if match else words.rstrip(" .?!")


def attach(reading: Reading, units: Sequence[tuple[Detections, Sequence[int]]]) -> Detections | None:
    """Give the results of an answer's units their labels and spans, and join them; what means one thing keeps the best.

    Args:
        reading: The answer.
        units: The result of each unit, with the index among the answer's ids of each group's routing token.

    Returns:
        None if there are no units.

    Raises:
        ValueError: If a unit's routing token is not one of the answer's.
    """
    named = []
    for found, positions in units:
        groups = _groups_at(reading, positions)
        names, spans = tuple(g.label for g in groups), tuple(g.span for g in groups)
        single = [index for index, group in enumerate(groups) if group.means_one]
        named.append(replace(best_of_each(found, single), class_names=names, spans=spans))
    return merge_detections(named) if named else None


def attach_poses(reading: Reading, units: Sequence[tuple[Poses, Sequence[int]]]) -> tuple[Poses, ...]:
    """Give the poses of an answer's units the names of objects and keypoints, and the spans of objects.

    Args:
        reading: The answer.
        units: As for `attach`; each asks its own keypoints, so they are not joined.

    Raises:
        ValueError: As `attach`.
    """
    named = []
    for found, positions in units:
        groups = _groups_at(reading, positions)
        objects = [group for group in groups if group.token != KEYPOINTS]
        keypoints = tuple(group.label for group in groups if group.token == KEYPOINTS)
        names, spans = tuple(group.label for group in objects), tuple(group.span for group in objects)
        bones = bones_among(keypoints)
        named.append(replace(found, class_names=names, keypoint_names=keypoints, spans=spans, bones=bones))
    return tuple(named)


def attach_pictures(
    reading: Reading, units: Sequence[tuple[GeneratedImages, Sequence[int]]]
) -> tuple[GeneratedImages, ...]:
    """Give the pictures of an answer's units the words and spans that asked for them.

    Args:
        reading: The answer.
        units: As for `attach`.

    Raises:
        ValueError: As `attach`.
    """
    named = []
    for made, positions in units:
        groups = _groups_at(reading, positions)
        named.append(replace(made, labels=tuple(g.label for g in groups), spans=tuple(g.span for g in groups)))
    return tuple(named)


def _groups_at(reading: Reading, positions: Sequence[int]) -> list[RoutedSpan]:
    """Return the routed spans whose routing tokens are at these places."""
    by_position = {routed.position: routed for routed in reading.routed}
    strange = [position for position in positions if position not in by_position]
    if strange:
        raise ValueError(f"expected routing tokens at {sorted(by_position)}, got one at {strange[0]}")
    return [by_position[position] for position in positions]


def best_of_each(found: Detections, class_ids: Sequence[int]) -> Detections:
    """Keep only the first, best instance of each of these query groups; others keep all of theirs."""
    keep = np.ones(len(found), dtype=bool)
    for class_id in class_ids:
        keep[np.flatnonzero(found.class_ids == class_id)[1:]] = False
    return found.select(keep)


def compose(
    reading: Reading,
    finish_reason: FinishReason,
    tokens: int,
    found: Detections | None,
    notices: tuple[str, ...] = (),
    poses: tuple[Poses, ...] = (),
    pictures: tuple[GeneratedImages, ...] = (),
    others: tuple[Result, ...] = (),
) -> Answer:
    """Put an answer together."""
    return Answer(
        text=reading.text,
        finish_reason=finish_reason,
        parts=reading.parts,
        detections=found,
        poses=poses,
        pictures=pictures,
        others=others,
        notices=notices,
        tokens=tokens,
    )


def last_question(messages: Sequence[Message]) -> str:
    """Return the words of the last user message."""
    return next((message.text for message in reversed(messages) if message.role == "user"), "")


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """A routing token in the raw text: where it stands, and the wrapped words before it, if they are wrapped."""

    token: str
    position: int
    place: int
    wrapped: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A routing token with the places in the raw text of the words it is named by (or None) and of its clause."""

    token: str
    position: int
    place: int
    words: tuple[int, int] | None
    clause: tuple[int, int]


def _marks(ids: Sequence[int], vocabulary: Vocabulary) -> tuple[str, list[_Mark]]:
    """Return the text of the ids, and where in it the routing tokens stand."""
    routes = {vocabulary.token_id(token): token for token in vocabulary.routes}
    opening, closing = (vocabulary.token_id(token) if vocabulary.is_structure(token) else -1 for token in (OPEN, CLOSE))
    opened: int | None = None
    wrapped: tuple[int, int] | None = None
    places: list[tuple[str, int, tuple[int, int] | None]] = []
    for position, token in enumerate(ids):
        if token == opening:
            opened = position
        elif token == closing and opened is not None:
            wrapped, opened = (opened, position), None
        elif token in routes:
            places.append((routes[token], position, wrapped))
            wrapped = None
        elif token < vocabulary.size and token not in vocabulary.special_ids:
            wrapped = None
    whole = vocabulary.decode(ids)
    start = len(whole) - len(whole.lstrip())
    raw = whole.strip()

    def letters(count: int) -> int:
        return min(max(len(vocabulary.decode(ids[:count])) - start, 0), len(raw))

    marks = []
    for token, position, around in places:
        inside = None if around is None else _trimmed(raw, letters(around[0]), letters(around[1]))
        marks.append(_Mark(token=token, position=position, place=letters(position), wrapped=inside))
    return raw, marks


def _find(raw: str, first: int, mark: _Mark, prompts: Prompts) -> _Found:
    """Find the words that a routing token is about; they begin at `first` or later."""
    if mark.wrapped is not None:
        words = mark.wrapped if mark.wrapped[0] < mark.wrapped[1] else None
        return _Found(token=mark.token, position=mark.position, place=mark.place, words=words, clause=mark.wrapped)
    before = raw[first : mark.place]
    leads = [answer.split("{routed}")[0] for answer in _known_answers(prompts)] + list(FAMILY_LEADS)
    lead = max((lead.strip() for lead in leads if before.lstrip().startswith(lead.strip())), key=len, default="")
    if lead:
        begin = first + before.index(lead) + len(lead)
    else:
        clause = _CLAUSE.match(before)
        begin = first + (clause.end() if clause else 0)
    words = _trimmed(raw, begin, mark.place, left=" ,")
    named = mark.token != GROUNDING and words[0] < words[1]
    spoken = words if words[0] < words[1] else _trimmed(raw, first, mark.place, left=" ,")
    return _Found(
        token=mark.token, position=mark.position, place=mark.place, words=words if named else None, clause=spoken
    )


def _known_answers(prompts: Prompts) -> tuple[str, ...]:
    return (
        prompts.detect_answer,
        prompts.segment_answer,
        prompts.refer_answer,
        prompts.point_answer,
        prompts.points_answer,
        prompts.pose_answer,
        prompts.draw_answer,
        prompts.edit_answer,
    )


def _trimmed(raw: str, start: int, end: int, *, left: str = " ") -> tuple[int, int]:
    """Leave blanks out at both ends."""
    while start < end and raw[start] in left:
        start += 1
    while end > start and raw[end - 1] == " ":
        end -= 1
    return start, end


def _idle_blanks(raw: str, found: Sequence[_Found]) -> set[int]:
    """Places of the blanks before routing tokens that route no words: there is nothing left that they set apart."""
    idle = set()
    for mark in found:
        after = raw[mark.place : mark.place + 1]
        if mark.words is None and raw[mark.place - 1 : mark.place] == " " and not after.isalnum():
            idle.add(mark.place - 1)
    return idle


def _parts(raw: str, found: Sequence[_Found]) -> Iterator[str | Routed]:
    done = 0
    for mark in found:
        start, end = mark.words or (mark.place, mark.place)
        if raw[done:start]:
            yield raw[done:start]
        yield Routed(raw[start:end], mark.token)
        done = max(end, mark.place)
    if raw[done:]:
        yield raw[done:]
