"""The embedded model in bfloat16 on the CPU against itself in float32: how far the boxes of what it finds move."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from PIL import Image

from material import CLASSES, pictures
from measuring import Measurement
from visionllm import Detections, Options, VisionLLM

NAME = "half"
PICTURES = 60
EVERYTHING = Options(threshold=0.0)


def moved(whole: Detections, other: Detections) -> np.ndarray:
    """Return float[N]: how far each instance's box is from the nearest one of its class, in sides of the picture.

    Args:
        whole: N instances that are looked for.
        other: All that another model finds, whatever the scores.
    """
    far = np.full(len(whole), np.inf)
    sides = np.array([*whole.size_hw[::-1]] * 2, dtype=np.float32)
    for place, (box, name) in enumerate(zip(whole.boxes, whole.class_ids, strict=True)):
        same = other.boxes[other.class_ids == name]
        if len(same):
            far[place] = (np.abs(same - box) / sides).max(axis=1).min()
    return far


def distances(one: VisionLLM, other: VisionLLM, drawn: Iterable[Image.Image]) -> np.ndarray:
    """Return float[N]: `moved` of all that the first model finds in some pictures."""
    return np.concatenate([moved(one.detect(p, CLASSES), other.detect(p, CLASSES, options=EVERYTHING)) for p in drawn])


def measure() -> list[Measurement]:
    """Compare known-class detection on pictures of the test split."""
    single = VisionLLM.load(device="cpu", dtype=torch.float32)
    half = VisionLLM.load(device="cpu", dtype=torch.bfloat16)
    found = distances(single, half, islice(pictures(), PICTURES))
    return [
        Measurement(name="bfloat16, instances compared", value=len(found), unit="boxes", at_least=30),
        Measurement(name="bfloat16, farthest box", value=float(found.max()), unit="of the side", at_most=0.02),
        Measurement(name="bfloat16, median box", value=float(np.median(found)), unit="of the side", at_most=0.002),
    ]
