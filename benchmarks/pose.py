"""Keypoints of one picture by a model that is loaded."""

from material import people
from measuring import Measurement, median_seconds
from random_model import model_with
from visionllm import Options

NAME = "pose"
FIGURES = 3


def measure() -> list[Measurement]:
    """Ask for the 17 keypoints of every person in a picture of three figures."""
    model, note = model_with("pose")
    picture, options = people(FIGURES), Options(max_instances=FIGURES)
    taken = median_seconds(lambda: model.pose(picture, ["person"], options=options), repeats=15)
    return [Measurement(name=f"warm pose, 17 keypoints{note}", value=taken, unit="s", at_most=0.2)]
