"""The picture world as files, for other tools: PNG pictures, COCO instances and conversations."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.base import image_of
from visionllm.data.world.scene import KINDS, WorldPicture
from visionllm.data.world.tasks import FAMILIES, make_samples, phrasing_of
from visionllm.formats.coco import encode_mask
from visionllm.types import Box, Mark, Message, Part, Picture, Point, Polygon, Region, Routed, Sample, Scribble

IMAGE_FOLDER, INSTANCES, CONVERSATIONS = "images", "instances.json", "conversations.json"


def export(
    folder: str | Path,
    split: str,
    seed: int,
    count: int,
    families: Sequence[str] | None = None,
    *,
    questions: int = 8,
    photos: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write pictures with their truth and questions to a new folder; it appears only when everything is written.

    `images/` holds the pictures, `instances.json` every object in COCO's form (its attributes beside it), and
    `conversations.json` the questions in the form of LLaVA's files: `<image>`, `<region>` and routing tokens stand in
    the text, regions and the annotation ids behind each routed span beside it.

    Args:
        folder: Where to write; must not exist.
        split: One of `SPLITS`.
        seed: Seed of the first picture; the others follow.
        count: Number of pictures.
        families: Names of task families; all by default.
        questions: Questions a picture; 0 writes pictures and instances only.
        photos: Whether training pictures may have photos behind them, which needs scikit-image.
        progress: Called with (pictures written, pictures in all) after each picture.

    Returns:
        The folder.

    Raises:
        ValueError: If the count is negative, the folder exists, or a family or the split is unknown.
    """
    goal = Path(folder)
    if count < 0:
        raise ValueError(f"expected a count of at least 0, got {count}")
    if goal.exists():
        raise ValueError(f"expected a folder that does not exist yet, got {goal}")
    goal.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{goal.name}-", dir=goal.parent))
    try:
        (workshop / IMAGE_FOLDER).mkdir()
        images, annotations, conversations = [], [], []
        for number in range(1, count + 1):
            picture = draw_picture(seed + number - 1, split=split, photos=photos)
            entry = _image_entry(picture, number)
            image_of(picture).save(workshop / entry["file_name"])
            images.append(entry)
            first = len(annotations) + 1
            annotations += _annotations(picture, number, first)
            samples = make_samples(picture, families or tuple(FAMILIES), seed, questions, phrasing_of(split))
            conversations += [
                conversation(sample, f"{number:06d}-{index}", entry["file_name"], _ids(sample, picture, first))
                for index, sample in enumerate(samples)
            ]
            if progress is not None:
                progress(number, count)
        categories = [{"id": number, "name": kind} for number, kind in enumerate(KINDS, start=1)]
        _write(workshop / INSTANCES, {"images": images, "annotations": annotations, "categories": categories})
        _write(workshop / CONVERSATIONS, conversations)
        workshop.chmod(0o755)
        workshop.rename(goal)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return goal


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _image_entry(picture: WorldPicture, number: int) -> dict[str, Any]:
    height, width = picture.scene.size_hw
    name = f"{IMAGE_FOLDER}/{number:06d}.png"
    return {"id": number, "file_name": name, "height": height, "width": width, "seed": picture.scene.seed}


def _annotations(picture: WorldPicture, image_id: int, first: int) -> list[dict[str, Any]]:
    """Return one COCO annotation an object, with ids from `first` on."""
    entries = []
    for number, thing in enumerate(picture.scene.objects, start=first):
        x0, y0, x1, y1 = thing.box
        entries.append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": KINDS.index(thing.kind) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": thing.area,
                "segmentation": encode_mask(thing.mask),
                "iscrowd": 0,
                "attributes": {"colour": thing.colour, "size": thing.size, "fill": thing.fill},
            }
        )
    return entries


def _ids(sample: Sample, picture: WorldPicture, first: int) -> list[list[int]]:
    """Return the annotation ids behind each routed span of a sample's answer."""
    spans: list[list[int]] = [[] for part in sample.answer.parts if isinstance(part, Routed)]
    truth = sample.detection
    if truth is None or truth.masks is None:
        return spans
    for mask, span in zip(truth.masks, truth.class_ids, strict=True):
        spans[span] += [first + i for i, thing in enumerate(picture.scene.objects) if (thing.mask == mask).all()]
    return spans


def conversation(sample: Sample, name: str, image: str, objects: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Write a sample as an entry of a LLaVA conversation file.

    Args:
        sample: What to write.
        name: The entry's id.
        image: File name of the picture; left out where the sample has none.
        objects: Annotation ids behind each routed span of the answer.
    """
    messages = (*sample.request.messages, sample.answer)
    marks = [part.region for message in messages for part in message.parts if isinstance(part, Mark)]
    return {
        "id": name,
        **({"image": image} if sample.request.pictures else {}),
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
