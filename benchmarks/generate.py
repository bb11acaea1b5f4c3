"""A new picture of the model's own size by a model that is loaded."""

from measuring import Measurement, median_seconds
from random_model import model_with
from visionllm import Options

NAME = "generate"
CAPTION = "a red star above a blue boat"
FEW = Options(steps=8)
"""A third of the embedded model's own steps, by its own scheduler: docs/scores.md says what that costs."""


def measure() -> list[Measurement]:
    """Make pictures with the model's own steps, and with few."""
    model, note = model_with("generation")
    usual = median_seconds(lambda: model.generate(CAPTION))
    few = median_seconds(lambda: model.generate(CAPTION, options=FEW))
    height, width = model.generate(CAPTION, options=FEW).pictures[0].shape[:2]
    size = f"{width}x{height}"
    return [
        Measurement(name=f"warm picture of {size}, own steps{note}", value=usual, unit="s", at_most=0.8),
        Measurement(name=f"warm picture of {size}, {FEW.steps} steps{note}", value=few, unit="s", at_most=0.25),
    ]
