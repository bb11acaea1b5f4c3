"""What commands print and write: text for people, or one JSON object; files that are whole or not there."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image
    from rich.console import Console

    from visionllm.types import Answer, Detections, Poses

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def check_out(path: Path | None, option: str = "--out") -> None:
    """Refuse a file that could not be written, before any work is done.

    Args:
        path: The file, or None.
        option: Which option names it.

    Raises:
        ValueError: If it has no suffix of a picture, is a folder, or lies in a folder that is not there.
    """
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected {option} with one of the suffixes {', '.join(SUFFIXES)}, got {str(path)!r}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"expected {option} to be a file in a folder that exists, got {str(path)!r}")


def save_picture(image: "Image.Image", path: Path) -> None:
    """Write a picture; a file of that name is replaced only once the new one is whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as file:
            image.save(file, format=SUFFIXES[path.suffix.lower()])
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def to_json(detections: "Detections | None") -> dict[str, Any]:
    """Return instances as plain data that states its space."""
    if detections is None:
        return {"instances": []}
    plain = detections.to_dict()
    return {name: plain[name] for name in ("space", "size_hw", "instances")}


def poses_to_json(poses: "Poses") -> dict[str, Any]:
    """Return poses as plain data that states its space."""
    plain = poses.to_dict()
    return {name: plain[name] for name in ("space", "size_hw", "bones", "instances")}


def answer_to_json(question: str, files: Sequence[Path], answer: "Answer", out: Path | None) -> dict[str, Any]:
    """Return an answer as plain data, with what was asked and where the annotated picture was written."""
    told = answer.to_dict()
    plain = {"question": question, "images": [str(file) for file in files]}
    plain |= {name: told[name] for name in ("text", "finish_reason", "tokens", "notices")}
    plain |= to_json(answer.detections) | {"poses": [poses_to_json(poses) for poses in answer.poses]}
    return plain | {name: told[name] for name in ("pictures", "others")} | {"out": None if out is None else str(out)}


def print_json(plain: dict[str, Any]) -> None:
    """Print one JSON object."""
    print(json.dumps(plain))


def console(*, errors: bool = False) -> "Console":
    """Return a console for standard output or standard error that takes words as they are."""
    from rich.console import Console

    return Console(stderr=errors, markup=False, highlight=False, soft_wrap=True)


def print_instances(detections: "Detections | None") -> None:
    """Print a line an instance: number, label, score, box."""
    from rich.table import Table

    if detections is None or not len(detections):
        return
    table = Table("", "label", "score", "x0", "y0", "x1", "y1", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    for number, instance in enumerate(detections.instances, start=1):
        table.add_row(str(number), instance.label, f"{instance.score:.2f}", *(f"{side:.0f}" for side in instance.box))
    console().print(table)


def print_poses(found: "Sequence[Poses]", first: int = 1) -> None:
    """Print a line an object (number, label, score, box), and below it its keypoints with their scores.

    Args:
        found: The poses.
        first: Number of the first one.
    """
    lines = console()
    for number, pose in enumerate((pose for poses in found for pose in poses.instances), start=first):
        box = ", ".join(f"{side:.0f}" for side in pose.box)
        lines.print(f"{number} {pose.label} {pose.score:.2f} ({box})")
        lines.print("  " + " · ".join(f"{k.name} {k.x:.0f},{k.y:.0f} {k.score:.2f}" for k in pose.keypoints))


def print_answer(answer: "Answer", out: Path | None = None) -> None:
    """Print the words of an answer, then what they brought back, then its notices."""
    print(answer.text)
    print_instances(answer.detections)
    print_poses(answer.poses, 1 + (0 if answer.detections is None else len(answer.detections)))
    made = [
        (picture, seed) for some in answer.pictures for picture, seed in zip(some.pictures, some.seeds, strict=True)
    ]
    for number, (picture, seed) in enumerate(made, start=1):
        height, width = picture.shape[:2]
        console().print(f"picture {number}: {width} × {height} pixels, seed {seed}", style="dim")
    print_notices(answer.notices, out)


def print_notices(notices: Sequence[str], out: Path | None = None) -> None:
    """Print notices, and where a picture was written, on standard error."""
    errors = console(errors=True)
    for notice in notices:
        errors.print(f"notice: {notice}", style="yellow")
    if out is not None:
        errors.print(f"wrote {out}", style="dim")
