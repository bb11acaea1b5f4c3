"""Poses drawn on their picture: bones, keypoints, boxes and labels."""

from PIL import Image

from visionllm.rendering.canvas import Canvas
from visionllm.rendering.palette import PALETTE
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
    if (image.height, image.width) != poses.size_hw:
        height, width = poses.size_hw
        raise ValueError(f"expected the picture of the poses, {width}x{height}, got {image.width}x{image.height}")
    canvas = Canvas(image, scale)
    paint_poses(canvas, poses, boxes=boxes, labels=labels, threshold=threshold)
    return canvas.image


def paint_poses(
    canvas: Canvas, poses: Poses, *, boxes: bool = True, labels: bool = True, threshold: float = 0.0
) -> None:
    """Draw poses on a canvas, the best one on top; bones lie under all keypoints of their pose."""
    line = 1.5 * canvas.line / canvas.scale
    found = [(pose, PALETTE[i % len(PALETTE)]) for i, pose in enumerate(poses.instances)]
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
        for number, (pose, colour) in enumerate(found, start=1):
            name = f"{number} {pose.label}"
            canvas.chip((f"{name} {pose.score:.2f}", name, str(number)), pose.box, colour)
