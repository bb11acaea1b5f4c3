"""What right pictures score at the decoder's size and through its VAE."""

from typing import Any

import numpy as np
from PIL import Image

from visionllm.evaluation.pictures import at_size
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_ceiling import CeilingBenchmark
from visionllm.evaluation.world_draw import PARTS


def scores(through) -> dict[str, Any]:
    benchmark = CeilingBenchmark(WorldSetting(seed=3, pictures=2, draws=0))
    question: Any
    for question in benchmark.requests():
        benchmark.update(question.truth, Image.fromarray(through(np.asarray(question.call.image))))
    return {name: score.value for name, score in benchmark.compute()["ceiling"].items()}


def test_a_lossless_vae_costs_nothing_beyond_the_size():
    found = scores(lambda pixels: at_size(pixels, (96, 96)))
    assert found.pop("psnr_outside_vae") == 100.0
    assert len(found) == 12
    for part in (*PARTS, "edit_done"):
        assert found[f"{part}_vae"] == found[f"{part}_resized"] <= found[f"{part}_render"] == 1.0


def test_a_vae_that_loses_everything_leaves_the_other_forms_as_they_are():
    found = scores(lambda pixels: np.full((96, 96, 3), 128, np.uint8))
    assert found["kind_and_colour_vae"] == found["edit_done_vae"] == 0.0
    assert found["kind_and_colour_render"] == 1.0
    assert found["psnr_outside_vae"] < 20
