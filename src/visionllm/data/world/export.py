"""The picture world as files, for other tools: PNG pictures, COCO instances and conversations."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.base import image_of
from visionllm.data.world.figures import FIGURES, skeleton_of
from visionllm.data.world.scene import KINDS, WorldFigure, WorldObject, WorldPicture, WorldSign, WorldThing
from visionllm.data.world.staging.stamps import DOMAINS
from visionllm.data.world.tasks import families_about, make_samples, phrasing_of
from visionllm.formats.coco import encode_mask
from visionllm.types import (
    Box,
    DetectionTruth,
    Mark,
    Message,
    Part,
    Picture,
    PictureTruth,
    Point,
    Polygon,
    PoseTruth,
    Region,
    Routed,
    Sample,
    Scribble,
)

IMAGE_FOLDER, INSTANCES, CONVERSATIONS = "images", "instances.json", "conversations.json"
MORE_FOLDER = "more"
"""Pictures that are no annotated ones: examples of a question, and pictures that an answer makes."""


def export(
    folder: str | Path,
    split: str,
    seed: int,
    count: int,
    families: Sequence[str] | None = None,
    *,
    questions: int = 8,
    photos: bool = True,
    version: int = 1,
    theme: str = "mixed",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write pictures with their truth and questions to a new folder; it appears only when everything is written.

    `images/` holds the pictures, `instances.json` everything on them in COCO's form (attributes beside it, keypoints of
    figures as COCO has them), and `conversations.json` the questions in the form of LLaVA's files: `<image>`,
    `<region>` and routing tokens stand in the text, regions and the annotation ids behind each routed span beside it.
    `more/` holds pictures of version 2 that are no annotated ones: examples, and those that answers make.

    Args:
        folder: Where to write; must not exist.
        split: One of `SPLITS`.
        seed: Seed of the first picture; the others follow.
        count: Number of pictures.
        families: Names of task families; all that suit the theme by default.
        questions: Questions a picture; 0 writes pictures and instances only.
        photos: Whether training pictures may have photos behind them, which needs scikit-image.
        version: Version of the world.
        theme: What pictures of version 2 are for.
        progress: Called with (pictures written, pictures in all) after each picture.

    Returns:
        The folder.

    Raises:
        ValueError: If the count is negative, the folder exists, or a family, the split, version or theme is unknown.
    """
    goal = Path(folder)
    if count < 0:
        raise ValueError(f"expected a count of at least 0, got {count}")
    if goal.exists():
        raise ValueError(f"expected a folder that does not exist yet, got {goal}")
    asked, kinds = families or families_about(version, theme), kinds_of(version)
    goal.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{goal.name}-", dir=goal.parent))
    try:
        (workshop / IMAGE_FOLDER).mkdir()
        images, annotations, conversations = [], [], []
        for number in range(1, count + 1):
            picture = draw_picture(seed + number - 1, split=split, photos=photos, version=version, theme=theme)
            entry = _image_entry(picture, number)
            image_of(picture).save(workshop / entry["file_name"])
            images.append(entry)
            first = len(annotations) + 1
            annotations += _annotations(picture, number, first, kinds)
            samples = make_samples(picture, asked, seed, questions, phrasing_of(split))
            desk = _Desk(folder=workshop, picture=picture, file=entry["file_name"], first=first)
            conversations += [desk.write(sample, f"{number:06d}-{index}") for index, sample in enumerate(samples)]
            if progress is not None:
                progress(number, count)
        categories = [_category(number, kind) for number, kind in enumerate(kinds, start=1)]
        _write(workshop / INSTANCES, {"images": images, "annotations": annotations, "categories": categories})
        _write(workshop / CONVERSATIONS, conversations)
        workshop.chmod(0o755)
        workshop.rename(goal)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return goal


def kinds_of(version: int) -> tuple[str, ...]:
    """Return the kinds of everything that pictures of a version may show, each once; their places are category ids."""
    if version == 1:
        return KINDS
    return tuple(dict.fromkeys((*KINDS, *FIGURES, "sign", *(kind for kinds in DOMAINS.values() for kind in kinds))))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _category(number: int, kind: str) -> dict[str, Any]:
    """Return an entry of COCO's categories; a figure's says the names of its keypoints, and its bones from 1."""
    plain: dict[str, Any] = {"id": number, "name": kind}
    if kind not in FIGURES:
        return plain
    names = skeleton_of(kind).names
    bones = [[a + 1, b + 1] for a, b in skeleton_of(kind).bones_among(names)]
    return plain | {"keypoints": list(names), "skeleton": bones}


def _image_entry(picture: WorldPicture, number: int) -> dict[str, Any]:
    height, width = picture.scene.size_hw
    name = f"{IMAGE_FOLDER}/{number:06d}.png"
    return {"id": number, "file_name": name, "height": height, "width": width, "seed": picture.scene.seed}


def _annotations(picture: WorldPicture, image_id: int, first: int, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return one COCO annotation a thing, with ids from `first` on."""
    entries = []
    for number, thing in enumerate(picture.scene.things, start=first):
        x0, y0, x1, y1 = thing.box
        entries.append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": kinds.index(thing.kind) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": thing.area,
                "segmentation": encode_mask(thing.mask),
                "iscrowd": 0,
                "attributes": _attributes(thing),
                **_keypoints(thing),
            }
        )
    return entries


def _attributes(thing: WorldThing) -> dict[str, str]:
    if isinstance(thing, WorldObject):
        return {"colour": thing.colour, "size": thing.size, "fill": thing.fill}
    if isinstance(thing, WorldFigure):
        return {"colour": thing.colour, "posture": thing.posture, "facing": thing.facing}
    return {"colour": thing.colour, "text": thing.text} if isinstance(thing, WorldSign) else {"colour": thing.colour}


def _keypoints(thing: WorldThing) -> dict[str, Any]:
    """Return a figure's keypoints as COCO writes them: x, y and visibility in a row, zeros where not labelled."""
    if not isinstance(thing, WorldFigure):
        return {}
    seen = thing.visibility > 0
    flat = [
        value
        for (x, y), v in zip(thing.keypoints.tolist(), thing.visibility.tolist(), strict=True)
        for value in ((round(x, 2), round(y, 2), v) if v else (0, 0, 0))
    ]
    return {"keypoints": flat, "num_keypoints": int(seen.sum())}


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """Where the questions about one picture are written down.

    Attributes:
        folder: Of the set.
        picture: The picture.
        file: Its file in the folder.
        first: Annotation id of its first thing.
    """

    folder: Path
    picture: WorldPicture
    file: str
    first: int

    def write(self, sample: Sample, name: str) -> dict[str, Any]:
        """Return a sample as an entry of a conversation file; its further pictures are saved."""
        files = []
        for image in sample.request.pictures:
            pixels = np.asarray(image)
            files.append(self.file if np.array_equal(pixels, self.picture.pixels) else self._save(pixels, name))
        entry = conversation(sample, name, files, self._ids(sample))
        made = [truth for truth in sample.truth.values() if isinstance(truth, PictureTruth)]
        return entry | ({"made": [self._save(truth.pixels, name) for truth in made]} if made else {})

    def _save(self, pixels: np.ndarray, name: str) -> str:
        (self.folder / MORE_FOLDER).mkdir(exist_ok=True)
        taken = len(list((self.folder / MORE_FOLDER).glob(f"{name}-*.png")))
        file = f"{MORE_FOLDER}/{name}-{taken}.png"
        Image.fromarray(pixels).save(self.folder / file)
        return file

    def _ids(self, sample: Sample) -> list[list[int]]:
        """Return the annotation ids behind each routed span of a sample's answer."""
        spans: list[list[int]] = [[] for part in sample.answer.parts if isinstance(part, Routed)]
        for truth in sample.truth.values():
            if isinstance(truth, DetectionTruth) and truth.masks is not None:
                for mask, span in zip(truth.masks, truth.class_ids, strict=True):
                    spans[span] += [
                        self.first + i
                        for i, thing in enumerate(self.picture.scene.things)
                        if (thing.mask == mask).all()
                    ]
            elif isinstance(truth, PoseTruth):
                for box, span in zip(truth.boxes.tolist(), truth.class_ids, strict=True):
                    spans[span] += [
                        self.first + i
                        for i, thing in enumerate(self.picture.scene.things)
                        if isinstance(thing, WorldFigure) and list(thing.box) == box
                    ]
        return spans


def conversation(sample: Sample, name: str, images: Sequence[str], objects: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Write a sample as an entry of a LLaVA conversation file.

    Args:
        sample: What to write.
        name: The entry's id.
        images: File names of its pictures; one stands alone, several in a list, none is left out.
        objects: Annotation ids behind each routed span of the answer.
    """
    messages = (*sample.request.messages, sample.answer)
    marks = [part.region for message in messages for part in message.parts if isinstance(part, Mark)]
    return {
        "id": name,
        **({"image": images[0] if len(images) == 1 else list(images)} if images else {}),
        "family": sample.family,
        "conversations": [{"from": _SPEAKERS[message.role], "value": _spelled(message)} for message in messages],
        "regions": [region_entry(region) for region in marks],
        "objects": [list(ids) for ids in objects],
    }


_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def _spelled(message: Message) -> str:
    return "".join(_spelled_part(part) for part in message.parts)


def _spelled_part(part: Part) -> str:
    if isinstance(part, Picture):
        return "<image>\n"
    if isinstance(part, Mark):
        return "<region>"
    if isinstance(part, Routed):
        return f"<det>{part.text}</det>{part.token}" if part.text else part.token
    return part


def region_entry(region: Region) -> dict[str, Any]:
    """Return a region as plain data, in pixels of the original picture."""
    if isinstance(region, Box):
        return {"type": "box", "xyxy": [region.x0, region.y0, region.x1, region.y1]}
    if isinstance(region, Point):
        return {"type": "point", "xy": [region.x, region.y]}
    if isinstance(region, Scribble):
        return {"type": "scribble", "points": [list(point) for point in region.points], "width": region.width}
    if isinstance(region, Polygon):
        return {"type": "polygon", "points": [list(point) for point in region.points]}
    return {"type": "mask", **encode_mask(region.pixels)}
