"""One request to a model that is loaded: an answer of 20 tokens, and a known-class detection."""

from material import CLASSES, pictures, talkative
from measuring import Measurement, median_seconds
from visionllm import VisionLLM

NAME = "warm"


def measure() -> list[Measurement]:
    """Time the embedded model on one picture."""
    model = VisionLLM.load()
    request = talkative(model, 1)
    picture = next(pictures())
    answer = median_seconds(lambda: model.answer(request), repeats=15)
    detection = median_seconds(lambda: model.detect(picture, CLASSES), repeats=15)
    return [
        Measurement(name="warm ask, 20 tokens", value=answer, unit="s", at_most=0.15),
        Measurement(name="warm detect, 5 classes", value=detection, unit="s", at_most=0.12),
    ]
