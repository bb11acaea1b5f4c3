"""New pictures and changed ones, with seed and steps."""

import asyncio

from visionllm.engine.events import Finished, Progress
from visionllm.engine.jobs import Creation
from visionllm.server.page.boards import made
from visionllm.server.page.marks import regions_of
from visionllm.server.page.session import Session
from visionllm.server.page.talk import LONGEST
from visionllm.server.page.words import Told, note
from visionllm.server.page.working import Place, View, Views, step_of
from visionllm.server.results import one_of
from visionllm.types import GeneratedImages, Options

MOST_STEPS = 100
MOST_SEED = 2**31 - 1


async def make(place: Place, words: str, seed: float | None, steps: float | None) -> Views:
    """Make a new picture.

    Raises:
        ValueError: If it cannot be made.
        EngineError: If the model fails.
    """
    async for view in _created(place, Creation(words=_said(words), options=options_of(seed, steps))):
        yield view


async def edit(place: Place, words: str, seed: float | None, steps: float | None, marks: str) -> Views:
    """Change the picture, all of it or only what is marked.

    Raises:
        ValueError: If it cannot be changed.
        EngineError: If the model fails.
    """
    place.needs_picture()
    session = place.session
    regions = regions_of(marks, session.found, session.size_hw)
    job = Creation(words=_said(words), image=session.picture, regions=regions, options=options_of(seed, steps))
    async for view in _created(place, job):
        yield view


async def _created(place: Place, job: Creation) -> Views:
    yield View(note=note("The model begins …"))
    async for event in place.events(job):
        if isinstance(event, Progress):
            yield View(note=note(step_of(event)))
        elif isinstance(event, Finished):
            result: GeneratedImages = one_of(event.result, GeneratedImages)
            yield await asyncio.to_thread(_shown, place.session, result)


def _shown(session: Session, result: GeneratedImages) -> View:
    if not len(result):
        raise Told("The model made no picture of this. Try other words.")
    session.made = result.images[0]
    told = f"Made with seed {result.seeds[0]}."
    return View(made=made(session), note=note(" ".join([told, *result.notices])))


def _said(words: str) -> str:
    words = words.strip()
    if not words:
        raise Told("Write first what the picture should show, or what should change.")
    if len(words) > LONGEST:
        raise Told(f"Write at most {LONGEST} characters.")
    return words


def options_of(seed: float | None, steps: float | None) -> Options:
    """Return the options of a picture.

    Raises:
        Told: If a number is missing or out of its range.
    """
    if seed is None or not 0 <= seed <= MOST_SEED or seed != int(seed):
        raise Told(f"The seed is a whole number from 0 to {MOST_SEED}.")
    if steps is None or not 1 <= steps <= MOST_STEPS:
        raise Told(f"The steps are a number from 1 to {MOST_STEPS}.")
    return Options(seed=int(seed), steps=int(steps))
