"""Known classes, phrases, places and examples: one result about the picture, nothing is written."""

import asyncio
import re
from typing import Any

from visionllm.engine.jobs import Perception
from visionllm.server.page.boards import sheet
from visionllm.server.page.marks import regions_of
from visionllm.server.page.session import Session
from visionllm.server.page.stage import stage
from visionllm.server.page.talk import LOWEST
from visionllm.server.page.words import Told, note
from visionllm.server.page.working import Place, View, Views
from visionllm.types import Detections, Example, Options, Poses, Result, SemanticMap

TASKS = {
    "detect": "Boxes around everything named",
    "segment": "Masks of everything named",
    "refer": "The one thing a phrase means",
    "pose": "Keypoints of everything named",
    "regions": "The mask of what is marked",
    "semantic": "A class for every pixel",
}
"""What the page offers, and its words for it."""
MOST_SAMPLES = 5
MOST_NAMES = 64


async def find(place: Place, task: str, words: str, keypoints: str, marks: str) -> Views:
    """Find things in the picture.

    Args:
        place: Where.
        task: One of `TASKS`.
        words: Names between commas, or one phrase.
        keypoints: Names between commas; none takes those of the classes.
        marks: What is marked, for the task `regions`.

    Raises:
        ValueError: If it cannot be asked.
        EngineError: If the model fails.
    """
    place.needs_picture()
    picture = place.session.picture
    if picture is None or task not in TASKS:
        raise Told("Choose first what to find.")
    names = names_of(words) if task != "refer" else tuple(filter(None, [words.strip()]))
    regions = regions_of(marks, place.session.found, place.session.size_hw) if task == "regions" else ()
    if task == "regions" and not regions:
        raise Told("Mark a place first: a point, a box or a scribble, or pick something that was found.")
    if task != "regions" and not names:
        raise Told("Write first what to look for, such as: fish, boat.")
    job = Perception(
        task=task,  # pyright: ignore[reportArgumentType]
        image=picture,
        names=() if task == "regions" else names,
        keypoints=names_of(keypoints) or None if task == "pose" else None,
        regions=regions,
        options=Options(threshold=LOWEST, masks=task != "detect"),
    )
    async for view in _looked(place, job):
        yield view


async def add_sample(place: Place, label: str, marks: str) -> Views:
    """Put what is marked on the sheet of examples.

    Raises:
        ValueError: If nothing is marked, or the sheet is full.
    """
    place.needs_picture()
    session = place.session
    regions = regions_of(marks, session.found, session.size_hw)
    if session.picture is None or not regions:
        raise Told("Mark the thing first: draw a box around it, or pick something that was found.")
    if len(session.samples) + len(regions) > MOST_SAMPLES:
        raise Told(f"The sheet holds at most {MOST_SAMPLES} examples. Clear it first.")
    named = label.strip()[:100] or None
    session.samples += [Example(session.picture, region, named) for region in regions]
    shown = await asyncio.to_thread(sheet, session)
    yield View(sheet=shown, note=note(f"On the sheet now: {len(session.samples)}."))


async def clear_samples(place: Place) -> Views:
    """Take everything from the sheet of examples."""
    place.session.samples = []
    yield View(sheet=sheet(place.session), note=note("The sheet is empty."))


async def find_more(place: Place) -> Views:
    """Find everything that is like the examples.

    Raises:
        ValueError: If there are no examples.
        EngineError: If the model fails.
    """
    place.needs_picture()
    session = place.session
    if session.picture is None or not session.samples:
        raise Told("The sheet of examples is empty. Mark a thing and add it first.")
    options = Options(threshold=LOWEST)
    async for view in _looked(
        place, Perception(task="find", image=session.picture, examples=tuple(session.samples), options=options)
    ):
        yield view


async def _looked(place: Place, job: Perception) -> Views:
    session = place.session
    yield View(note=note("The model looks …"))
    kinds: dict[str, Any] = {"pose": Poses, "semantic": SemanticMap}
    result: Result = await place.result(job, kinds.get(job.task, Detections))
    if session.picture is not job.image:
        raise Told("Another picture was opened meanwhile, so this result was left out.")
    yield await asyncio.to_thread(_shown, session, result)


def _shown(session: Session, result: Result) -> View:
    session.show((result,))
    count = len(session.found)
    told = f"{count} found; the slider hides those with low scores." if count else "Nothing was found."
    notices: tuple[str, ...] = getattr(result, "notices", ())
    return View(stage=stage(session), note=note(" ".join([told, *notices])))


def names_of(words: str) -> tuple[str, ...]:
    """Return names between commas or on lines.

    Raises:
        Told: If there are too many.

    >>> names_of("fish, red star,,")
    ('fish', 'red star')
    """
    names = tuple(dict.fromkeys(name.strip() for name in re.split(r"[,;\n]", words) if name.strip()))
    if len(names) > MOST_NAMES:
        raise Told(f"Write at most {MOST_NAMES} names.")
    return names
