"""Pictures onto the table: from a file, from a drawing, from the model, or an example."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from visionllm.data.world import draw_picture
from visionllm.server.intake import Intake
from visionllm.server.page.session import Session
from visionllm.server.page.stage import stage
from visionllm.server.page.words import Told, note
from visionllm.server.page.working import Place, View, Views

EMPTY = "The drawing is empty. Draw something first."


async def from_file(place: Place, path: str | None, uploads: Path) -> Views:
    """Open a file that the browser sent; it is deleted, whatever becomes of it.

    Raises:
        Told: If there is none.
        ApiError: If it is no picture, or too large.
    """
    if not path:
        raise Told("Choose a picture first.")
    content = await asyncio.to_thread(_taken, [path], uploads)
    yield await _laid(place, lambda: _opened(place, content), "This picture is on the table now.")


async def from_drawing(place: Place, paths: Sequence[str], uploads: Path) -> Views:
    """Take a drawing.

    Args:
        place: Where.
        paths: Its files, the finished drawing first; all are deleted.
        uploads: Where files arrive.

    Raises:
        Told: If nothing is drawn.
        ApiError: If it is no picture, or too large.
    """
    if not paths:
        raise Told(EMPTY)
    content = await asyncio.to_thread(_taken, paths, uploads)
    yield await _laid(place, lambda: _drawn(_opened(place, content)), "Your drawing is on the table now.")


def _taken(paths: Sequence[str], uploads: Path) -> bytes:
    """Return the content of the first file, and delete all.

    Raises:
        Told: If one of them did not arrive here.
    """
    files = [Path(path).resolve() for path in paths]
    if not all(file.is_relative_to(uploads) and file.is_file() for file in files):
        raise Told("This file did not arrive. Send it again.")
    try:
        return files[0].read_bytes()
    finally:
        for file in files:
            file.unlink(missing_ok=True)


async def from_made(place: Place) -> Views:
    """Take the picture that the model made.

    Raises:
        Told: If there is none.
    """
    made = place.session.made
    if made is None:
        raise Told("Nothing has been made yet.")
    yield await _laid(place, lambda: made, "The new picture is on the table now.")


async def example(place: Place, number: int) -> Views:
    """Take a picture of the drawn world."""
    yield await _laid(
        place, lambda: Image.fromarray(draw_picture(number, split="test").pixels), "An example is on the table now."
    )


async def _laid(place: Place, opened: Callable[[], Image.Image], told: str) -> View:
    picture = await asyncio.get_running_loop().run_in_executor(place.service.intake, opened)
    return await asyncio.to_thread(_shown, place.session, picture, told)


def _shown(session: Session, picture: Image.Image, told: str) -> View:
    session.lay(picture)
    return View(stage=stage(session), note=note(f"{told} {picture.width}×{picture.height} pixels."))


def _opened(place: Place, content: bytes) -> Image.Image:
    """Open the content of a file within the memory that all requests share.

    Raises:
        ApiError: If it is no picture, or too large.
    """
    lease = place.service.pixels.lease()
    try:
        return Intake(place.limits, 1, lease).file(content, "picture")
    finally:
        lease.close()


def _drawn(picture: Image.Image) -> Image.Image:
    """Refuse a drawing of one colour.

    Raises:
        Told: If it is one.
    """
    if all(low == high for low, high in picture.getextrema()):  # pyright: ignore[reportGeneralTypeIssues]
        raise Told(EMPTY)
    return picture
