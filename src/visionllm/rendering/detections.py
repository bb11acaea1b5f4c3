"""Detections drawn on their picture."""

from PIL import Image

from visionllm.rendering.canvas import Canvas
from visionllm.rendering.palette import PALETTE, Colour, group_colours
from visionllm.types import Detections


def draw_detections(
    image: Image.Image,
    detections: Detections,
    *,
    scale: int | None = None,
    masks: bool = True,
    labels: bool = True,
    scores: bool = True,
) -> Image.Image:
    """Draw boxes, masks and labels, each instance with its number.

    Args:
        image: The picture that the detections belong to; it is not changed.
        detections: What was found.
        scale: How many times the picture is enlarged; None makes small pictures legible.
        masks: Whether masks are tinted.
        labels: Whether names and numbers are written.
        scores: Whether scores stand behind the names.

    Raises:
        ValueError: If the detections belong to a picture of another size, or the scale is not positive.
    """
    canvas = Canvas(image, scale)
    paint_detections(canvas, detections, instance_colours(image, detections), masks=masks, labels=labels, scores=scores)
    return canvas.image


def instance_colours(image: Image.Image, detections: Detections) -> list[Colour]:
    """Choose a colour for every instance: one a name, or one an instance where all have the same name.

    Raises:
        ValueError: If the detections belong to a picture of another size.
    """
    if (image.height, image.width) != detections.size_hw:
        height, width = detections.size_hw
        raise ValueError(f"expected the picture of the detections, {width}x{height}, got {image.width}x{image.height}")
    found = detections.instances
    labels = list(dict.fromkeys(instance.label for instance in found))
    if len(labels) == 1:
        # Neighbours of one kind are told apart by turns; every colour of the turn was chosen against all of them.
        base = group_colours(image, [[i.box for i in found]] * min(len(found), len(PALETTE)))
        return [base[number % len(base)] for number in range(len(found))]
    chosen = group_colours(image, [[i.box for i in found if i.label == label] for label in labels])
    return [chosen[labels.index(instance.label)] for instance in found]


def paint_detections(
    canvas: Canvas, detections: Detections, colours: list[Colour], *, masks: bool, labels: bool, scores: bool
) -> None:
    """Draw detections on a canvas, the best one on top."""
    found = list(zip(detections.instances, colours, strict=True))
    if masks:
        for instance, colour in reversed(found):
            if instance.mask is not None:
                canvas.mask(instance.mask, colour)
    for instance, colour in reversed(found):
        canvas.box(instance.box, colour)
    if labels:
        for number, (instance, colour) in enumerate(found, start=1):
            name = f"{number} {instance.label}".strip()
            full = f"{name} {instance.score:.2f}" if scores else name
            canvas.chip((full, name, str(number)), instance.box, colour)
