"""Poses drawn on their picture: bones, keypoints, boxes and labels."""

from PIL import Image

from visionllm.rendering.canvas import Canvas
from visionllm.rendering.palette import PALETTE, Colour
from visionllm.types import Poses


def draw_poses(
    image: Image.Image,
    poses: Poses,
    *,
    scale: int | None = None,
    boxes: bool = True,
    labels: bool = True,
    threshold: float = 0.0,
) -> Image.Image:
    """Draw poses on an enlarged copy of their picture.

    Args:
        image: The picture that the poses belong to; it is not changed.
        poses: What was found.
        scale: How many times the picture is enlarged; None makes small pictures legible.
        boxes: Whether boxes are drawn.
        labels: Whether names, numbers and scores are written.
        threshold: Lowest score of a keypoint that is drawn.

    Raises:
        ValueError: If the poses belong to a picture of another size, or the scale is not positive.
    """
    check_size(image, poses)
    canvas = Canvas(image, scale)
    paint_poses(canvas, poses, boxes=boxes, labels=labels, threshold=threshold)
    return canvas.image


def check_size(image: Image.Image, poses: Poses) -> None:
    """Refuse poses of another picture.

    Raises:
        ValueError: If the picture has another size.
    """
    if (image.height, image.width) != poses.size_hw:
        height, width = poses.size_hw
        raise ValueError(f"expected the picture of the poses, {width}x{height}, got {image.width}x{image.height}")


def pose_colour(number: int) -> Colour:
    """Return the colour of the pose that has this number in its picture, from 0."""
    return PALETTE[number % len(PALETTE)]


def paint_poses(
    canvas: Canvas, poses: Poses, *, boxes: bool = True, labels: bool = True, threshold: float = 0.0, first: int = 0
) -> None:
    """Draw poses on a canvas, the best one on top; bones lie under all keypoints of their pose.

    Args:
        canvas: Where to draw.
        poses: What was found.
        boxes: Whether boxes are drawn.
        labels: Whether names, numbers and scores are written.
        threshold: Lowest score of a keypoint that is drawn.
        first: How many other things are numbered before these.
    """
    line = 1.5 * canvas.line / canvas.scale
    found = [(pose, pose_colour(first + i)) for i, pose in enumerate(poses.instances)]
    for pose, colour in reversed(found):
        if boxes:
            canvas.box(pose.box, colour)
        points = [(k.x - 0.5, k.y - 0.5) for k in pose.keypoints]  # a canvas counts from the centres of pixels
        seen = [k.score >= threshold for k in pose.keypoints]
        for a, b in poses.bones:
            if seen[a] and seen[b]:
                canvas.path([points[a], points[b]], colour, line)
        for point, there in zip(points, seen, strict=True):
            if there:
                canvas.dot(point, colour)
    if labels:
        for number, (pose, colour) in enumerate(found, start=first + 1):
            name = f"{number} {pose.label}"
            canvas.chip((f"{name} {pose.score:.2f}", name, str(number)), pose.box, colour)
