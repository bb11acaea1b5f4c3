"""Questions: the conversation grows piece by piece, and what it finds appears while it is written."""

import asyncio
from dataclasses import replace

from visionllm.engine.events import Finished, Found, Progress, TextPiece
from visionllm.server.page.boards import conversation, made, thumb_of
from visionllm.server.page.marks import regions_of
from visionllm.server.page.session import Session, Turn
from visionllm.server.page.stage import stage
from visionllm.server.page.words import Told, note
from visionllm.server.page.working import Place, View, Views, step_of
from visionllm.server.results import one_of, results_of
from visionllm.types import Answer, GeneratedImages, Mark, Message, Options, Part, Picture, Region, Request

LOWEST = 0.05
"""Lowest score that is asked for; the page hides what is below its slider."""
LONGEST = 4000
"""Most characters of a question."""


async def ask(place: Place, words: str, marks: str) -> Views:
    """Ask a question about the picture and what is marked on it.

    Raises:
        ValueError: If it cannot be asked.
        EngineError: If the model fails.
    """
    session, words = place.session, words.strip()
    if not words:
        raise Told("Write a question first.")
    if len(words) > LONGEST:
        raise Told(f"A question has at most {LONGEST} characters.")
    regions = regions_of(marks, session.found, session.size_hw)
    turn, told = message_of(session, words, regions)
    request = Request((*session.messages, turn), Options(threshold=LOWEST))
    _check_room(place, request)
    before, picture = list(session.turns), session.picture
    session.turns = [*before, told]
    session.show(())
    yield View(chat=conversation(session), stage=stage(session), note=note("The model reads …"), question="")
    try:
        async for event in place.events(request):
            if isinstance(event, TextPiece):
                told = replace(told, answer=told.answer + event.text)
                session.turns = [*before, told]
                yield View(chat=conversation(session), note=note("The model writes …"))
            elif isinstance(event, Progress):
                yield View(note=note(step_of(event)))
            elif isinstance(event, Found):
                yield await _seen(session, event, same=session.picture is picture)
            elif isinstance(event, Finished):
                answer: Answer = one_of(event.result, Answer)
                session.turns = [*before, replace(told, answer=answer.text, routed=answer)]
                session.messages = (*request.messages, answer.message)
                yield await asyncio.to_thread(_ended, session, answer, session.picture is picture)
    finally:
        if session.messages[: len(request.messages)] != request.messages:
            session.turns = before  # an unfinished answer becomes no turn


def message_of(session: Session, words: str, regions: tuple[Region, ...]) -> tuple[Message, Turn]:
    """Return a question as the model has it, and as the page shows it; a picture comes with it where it is new."""
    parts: list[Part] = []
    thumb = ""
    if session.picture is not None and not _last_is(session):
        parts.append(Picture(session.picture))
        thumb = thumb_of(session.picture)
    parts.append(words)
    for region in regions:
        parts += [" ", Mark(region)]
    shown = f"{words} [{len(regions)} marked]" if regions else words
    return Message("user", tuple(parts)), Turn(shown, thumb)


def _last_is(session: Session) -> bool:
    said = [part.image for message in session.messages for part in message.parts if isinstance(part, Picture)]
    return bool(said) and said[-1] is session.picture


def _check_room(place: Place, request: Request) -> None:
    config = place.service.config
    if len(request.messages) > config.max_messages or len(request.pictures) > config.max_images:
        most = f"{config.max_messages} messages and {config.max_images} pictures"
        raise Told(f"A conversation has at most {most}. Start anew.")


async def _seen(session: Session, event: Found, *, same: bool) -> View:
    """Show what an answer found so far, where the picture is still the same."""
    if isinstance(event.result, GeneratedImages):
        session.made = event.result.images[-1] if len(event.result) else session.made
        return View(made=await asyncio.to_thread(made, session))
    if same:
        session.show((*session.results, event.result))
    return View(stage=await asyncio.to_thread(stage, session))


def _ended(session: Session, answer: Answer, same: bool) -> View:
    if same:
        session.show(tuple(result for result in results_of(answer) if not isinstance(result, GeneratedImages)))
    for pictures in answer.pictures:
        session.made = pictures.images[-1] if len(pictures) else session.made
    ended = "Done." if answer.finish_reason == "stop" else "The answer was cut off: it became too long."
    counted = f" {len(session.found)} found." if session.found else ""
    return View(
        stage=stage(session),
        chat=conversation(session),
        made=made(session) if answer.pictures else None,
        note=note(" ".join([ended + counted, *answer.notices])),
    )


async def restart(place: Place) -> Views:
    """Begin a new conversation; the picture stays."""
    place.session.messages, place.session.turns = (), []
    yield View(chat=conversation(place.session), note=note("A new conversation."))
