"""New pictures, judged."""

from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.base import Ask, Draw
from visionllm.evaluation.pictures import at_size
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_draw import DrawBenchmark, drawing_of
from visionllm.types import Answer, GeneratedImages

BLANK = np.full((96, 96, 3), 255, np.uint8)


def images(pixels):
    return GeneratedImages(pictures=(pixels,), seeds=(0,))


def scores(paint, mode: Any = "both", pictures=3) -> dict[str, Any]:
    """Answer every prompt with the picture that `paint` makes of the right one."""
    benchmark = DrawBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=0))
    for question in benchmark.requests():
        pixels = paint(drawing_of(question.truth).pixels)
        if isinstance(question.call, Draw):
            result = images(pixels)
        else:
            result = Answer(text="", pictures=() if pixels is None else (images(pixels),))
        benchmark.update(question.truth, result)
    found = benchmark.compute()
    return {f"{family}/{name}": score.value for family, some in found.items() for name, score in some.items()}


@pytest.mark.parametrize("size_hw", [(128, 128), (96, 96)], ids=str)
def test_right_pictures_are_right_at_the_size_they_were_made_at(size_hw):
    found = scores(lambda pixels: at_size(pixels, size_hw), mode="known")
    parts = {name: found[f"draw/{name}_known"] for name in ("kind_and_colour", "count_and_relation", "made")}
    assert parts == dict.fromkeys(parts, 1.0)
    assert found["draw-one/shows_known"] == 1.0


def test_blank_pictures_are_made_but_wrong_and_silence_makes_none():
    blank = scores(lambda _: BLANK)
    assert {value for name, value in blank.items() if "made" not in name} == {0.0}
    assert blank["draw/made_free"] == blank["draw/made_known"] == 1.0
    assert set(scores(lambda _: None, mode="free").values()) == {0.0}


def test_other_colours_are_wrong():
    found = scores(lambda pixels: np.roll(pixels, 1, axis=2), mode="free")
    assert found["draw/kind_and_colour_free"] < 0.5


def test_seeds_vary_by_question_and_are_the_same_in_every_run():
    def seeds(seed):
        setting = WorldSetting(seed=seed, pictures=3, steps=4, scheduler="DDIMScheduler")
        calls: list[Any] = [question.call for question in DrawBenchmark(setting).requests()]
        options = [call.request.options if isinstance(call, Ask) else call.options for call in calls]
        assert {(one.steps, one.scheduler) for one in options} == {(4, "DDIMScheduler")}
        return [one.seed for one in options]

    assert seeds(3) == seeds(3) != seeds(4)
    assert len(set(seeds(3))) == len(seeds(3)) / 2  # both modes share the seed of a question
