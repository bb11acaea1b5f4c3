"""What one open page has on its table, and how many pages there may be."""

import base64
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock

import numpy as np
from PIL import Image

from visionllm.server.page.marks import inside
from visionllm.types import (
    Answer,
    Box,
    Detections,
    Example,
    Instance,
    Message,
    Picture,
    Pose,
    Poses,
    Result,
    SemanticMap,
)

MOST_SESSIONS = 64
MOST_PIXELS = 150_000_000
"""Most pixels of the pictures of all open pages; those that were left alone longest are cleared first."""
PREVIEW = 1280
"""Longest side of a picture as the page shows it."""


@dataclass(frozen=True, eq=False)
class Turn:
    """A question and its answer, as the page shows them.

    Attributes:
        words: The question.
        thumb: A small data URL of the picture that came with it, or nothing.
        answer: What was answered so far.
        routed: The whole answer once it is there.
    """

    words: str
    thumb: str = ""
    answer: str = ""
    routed: Answer | None = None


@dataclass(eq=False)
class Session:
    """One open page.

    Attributes:
        picture: What lies on the table, or None.
        token: A name of the picture that no other has.
        url: The picture for the browser.
        results: What was found in it last.
        found: The same, one value a thing, as it is numbered.
        shown: How often that has changed.
        messages: The conversation as the model has it.
        turns: The conversation as the page shows it.
        samples: The sheet of examples.
        made: The picture that was made last, or None.
        used: When it was used last.
    """

    picture: Image.Image | None = None
    token: str = ""
    url: str = ""
    results: tuple[Result, ...] = ()
    found: tuple[Instance | Pose, ...] = ()
    shown: int = 0
    messages: tuple[Message, ...] = ()
    turns: list[Turn] = field(default_factory=list)
    samples: list[Example] = field(default_factory=list)
    made: Image.Image | None = None
    used: float = field(default_factory=time.monotonic)

    def lay(self, picture: Image.Image) -> None:
        """Put another picture on the table."""
        self.picture, self.token, self.url = picture, secrets.token_hex(8), data_url(picture, PREVIEW)
        self.show(())

    def show(self, results: tuple[Result, ...]) -> None:
        """Take what was found in the picture."""
        self.results, self.found = results, things_of(results)
        self.shown += 1

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) of the picture, (0, 0) without one."""
        return (0, 0) if self.picture is None else (self.picture.height, self.picture.width)

    @property
    def pixels(self) -> int:
        """Pixels of all pictures that are held."""
        said = [part.image for message in self.messages for part in message.parts if isinstance(part, Picture)]
        held = [self.picture, self.made, *said, *(sample.image for sample in self.samples)]
        return sum({id(image): image.width * image.height for image in held if image is not None}.values())


class Sessions:
    """All open pages, by sender and by the name that the browser gave itself."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._held)

    def of(self, tenant: str, name: str) -> Session:
        """Return a page, new where it is not known; those left alone longest make room."""
        with self._lock:
            session = self._held.setdefault((tenant, name), Session())
            session.used = time.monotonic()
            self._held.move_to_end((tenant, name))
            while len(self._held) > 1 and (len(self._held) > MOST_SESSIONS or self._pixels() > MOST_PIXELS):
                self._held.popitem(last=False)
            return session

    def _pixels(self) -> int:
        return sum(session.pixels for session in self._held.values())


def things_of(results: tuple[Result, ...]) -> tuple[Instance | Pose, ...]:
    """Return what can be picked out of results, in their order."""
    found: list[Instance | Pose] = []
    for result in results:
        if isinstance(result, Detections | Poses):
            found.extend(result.instances)
        elif isinstance(result, SemanticMap):
            found.extend(_area(result, name) for name in result.present)
    return tuple(found)


def _area(found: SemanticMap, name: str) -> Instance:
    mask = found.mask(name)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return Instance(name, 1.0, box, mask)


def box_of(thing: Instance | Pose, size_hw: tuple[int, int]) -> Box:
    """Return the box of a thing, cut at the border of the picture."""
    box = inside(Box(*thing.box), size_hw)
    return box if isinstance(box, Box) else Box(*thing.box)


def data_url(image: Image.Image, most: int) -> str:
    """Return a picture for a browser: as it is, or smaller where a side is longer than `most`."""
    shown = image
    if max(image.size) > most:
        shown = image.copy()
        shown.thumbnail((most, most))
    large = shown.width * shown.height > 512 * 512
    file = BytesIO()
    shown.save(file, "JPEG" if large else "PNG", **({"quality": 92} if large else {}))
    return f"data:image/{'jpeg' if large else 'png'};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
