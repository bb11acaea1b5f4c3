"""`visionllm run` with many pictures: one question about each of them, through the engine."""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from visionllm.cli.output import SUFFIXES, answer_to_json, console, print_answer, print_json, save_picture
from visionllm.cli.watching import watched_lines

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.engine import Engine, EngineConfig, Ticket
    from visionllm.predictor import VisionLLM
    from visionllm.types import Answer, Options, Request

RUNNING, WAITING = 16, 8
AT_ONCE = RUNNING + WAITING
"""Pictures that are open at once: those that the engine works on, and a few that wait for a place."""
PATIENCE_S = 1e9
"""Nobody waits for one of these answers alone, so that none of them may be too late."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came of one picture: its answer, or why there is none.

    Attributes:
        file: The picture's file.
        picture: The picture, or None if it could not be opened.
        answer: What the model answered, or None.
        failure: Why it did not, or None.
    """

    file: Path
    picture: "Image.Image | None" = None
    answer: "Answer | None" = None
    failure: str | None = None


def listed(images: Sequence[Path]) -> list[Path]:
    """Return files, and in the place of each folder its picture files in sorted order.

    Raises:
        ValueError: If a folder has no pictures, or there is nothing at all.
    """
    from visionllm.processing import picture_files

    files = [file for image in images for file in (picture_files(image) if image.is_dir() else [image])]
    if not files:
        raise ValueError("expected pictures for --each, got none")
    return files


def places(files: Sequence[Path], out: Path) -> list[Path]:
    """Return where the annotated picture of each file goes.

    Raises:
        ValueError: If `out` can be no folder, or a place is that of another picture.
    """
    if out.suffix.lower() in SUFFIXES or not (out.is_dir() or (not out.exists() and out.absolute().parent.is_dir())):
        raise ValueError(
            f"expected --out for many pictures to be a folder, or a new one in a folder that exists, got {str(out)!r}"
        )
    found = [out / f"{file.stem}.png" for file in files]
    counted = Counter(found)
    for file, place in zip(files, found, strict=True):
        if counted[place] > 1:
            same = [str(other) for other, taken in zip(files, found, strict=True) if taken == place]
            raise ValueError(f"expected pictures with different names for --out, got {' and '.join(same)}")
        if place.exists() and any(other.exists() and place.samefile(other) for other in files):
            raise ValueError(f"expected --out to be another folder than that of the pictures, got {str(file)!r} in it")
    return found


def engine_limits() -> "EngineConfig":
    """Return limits of an engine for many pictures: `AT_ONCE` jobs, each with all the time it needs."""
    from visionllm.engine import EngineConfig

    return EngineConfig(max_running=RUNNING, max_queue=WAITING, deadline_s=PATIENCE_S)


def told(engine: "Engine", files: Sequence[Path], request: "Callable[[Image.Image], Request]") -> Iterator[Told]:
    """Yield what comes of each picture, in the order of the files, as soon as it is known.

    At most `AT_ONCE` pictures are open at any time; the engine must take as many.

    Args:
        engine: An engine that runs.
        files: The pictures' files; what cannot be opened or answered does not stop the others.
        request: The question about a picture.

    Raises:
        EngineDied: If the engine ends.
    """
    asked: deque[tuple[Told, Ticket | None]] = deque()
    for file in files:
        while asked and (len(asked) == AT_ONCE or asked[0][1] is None or asked[0][1].done):
            yield _outcome(*asked.popleft())
        asked.append(_asked(engine, file, request))
    while asked:
        yield _outcome(*asked.popleft())


def _asked(engine: "Engine", file: Path, request: "Callable[[Image.Image], Request]") -> "tuple[Told, Ticket | None]":
    from visionllm.processing import open_picture

    picture = None
    try:
        picture = open_picture(file)
        return Told(file=file, picture=picture), engine.submit(request(picture))
    except ValueError as error:
        return Told(file=file, picture=picture, failure=str(error)), None


def _outcome(what: Told, ticket: "Ticket | None") -> Told:
    from visionllm.engine import EngineDied, EngineError

    if ticket is None:
        return what
    try:
        return replace(what, answer=cast("Answer", ticket.result()))
    except EngineDied:
        raise
    except EngineError as error:
        return replace(what, failure=f"{error}: {error.__cause__}" if error.__cause__ else str(error))


def ask_each(
    prompt: str,
    images: Sequence[Path],
    options: "Options",
    load: "Callable[[], VisionLLM]",
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Ask one question about every picture; print the answers in the order of the files.

    Args:
        prompt: The question.
        images: Files and folders.
        options: How to answer; every picture gets the same seed.
        load: Loads the model; called once nothing is left to refuse.
        out: Folder for the annotated pictures, or None.
        as_json: Print a JSON object a line.

    Raises:
        Exit: With code 1, if a picture has no answer.
        ValueError: If files or folders are wrong.
    """
    from visionllm.engine import Engine, EngineDied
    from visionllm.types import ask

    files = listed(images)
    wanted = [None] * len(files) if out is None else places(files, out)
    model = load()
    if out is not None:
        out.mkdir(exist_ok=True)
    failed = 0
    try:
        with watched_lines("asking", len(files)) as bar, Engine(model, engine_limits()) as engine:
            answers = told(engine, files, lambda picture: ask(prompt, picture, options=options))
            for one, place in zip(answers, wanted, strict=True):
                with bar.step():
                    _show(prompt, one, place, as_json=as_json)
                failed += one.answer is None
    except EngineDied as error:
        raise RuntimeError(str(error)) from error
    if failed:
        console(errors=True).print(f"{failed} of {len(files)} pictures have no answer", style="red")
        raise typer.Exit(1)


def _show(prompt: str, one: Told, place: Path | None, *, as_json: bool) -> None:
    """Write the annotated picture, then print the answer, or why there is none."""
    if one.answer is None:
        console(errors=True).print(f"error: {one.file}: {one.failure}", style="red")
        if as_json:
            print_json({"question": prompt, "images": [str(one.file)], "error": one.failure})
    else:
        if place is not None:
            from visionllm.rendering import draw_answer

            save_picture(draw_answer(one.picture, prompt, one.answer), place)
        if as_json:
            print_json(answer_to_json(prompt, [one.file], one.answer, place))
        else:
            console().print(f"\n{one.file}", style="bold")
            print_answer(one.answer, place)
    sys.stdout.flush()
