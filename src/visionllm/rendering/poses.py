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
    frames = [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in poses.boxes]
    line = 1.5 * canvas.line / canvas.scale
    for i in reversed(range(len(poses))):
        colour = PALETTE[i % len(PALETTE)]
        if boxes:
            canvas.box(frames[i], colour)
        points = [(float(x) - 0.5, float(y) - 0.5) for x, y in poses.keypoints[i]]  # a canvas counts pixel centres
        seen = [float(score) >= threshold for score in poses.keypoint_scores[i]]
        for a, b in poses.bones:
            if seen[a] and seen[b]:
                canvas.path([points[a], points[b]], colour, line)
        for point, there in zip(points, seen, strict=True):
            if there:
                canvas.dot(point, colour)
    if labels:
        for i, frame in enumerate(frames):
            name = f"{i + 1} {poses.label(i)}"
            canvas.chip((f"{name} {poses.scores[i]:.2f}", name, str(i + 1)), frame, PALETTE[i % len(PALETTE)])
