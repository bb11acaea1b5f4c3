"""The picture world: how many pictures a second one core draws, of either version and every theme."""

import time

from measuring import Measurement
from visionllm.data.world import draw_picture
from visionllm.data.world.staging import THEMES

NAME = "worlds"
PICTURES, LEAST = 200, 100


def measure() -> list[Measurement]:
    """Draw pictures of the test split at the default canvas."""
    wanted = [(1, "mixed"), *((2, theme) for theme in THEMES)]
    return [
        Measurement(name=f"world {version}, {theme}", value=_speed(version, theme), unit="pictures/s", at_least=LEAST)
        for version, theme in wanted
    ]


def _speed(version: int, theme: str) -> float:
    draw_picture(PICTURES, split="test", version=version, theme=theme)
    start = time.process_time()
    for seed in range(PICTURES):
        draw_picture(seed, split="test", version=version, theme=theme)
    return PICTURES / (time.process_time() - start)
