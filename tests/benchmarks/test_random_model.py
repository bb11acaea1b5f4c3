"""Stand-ins for decoders that the embedded model does not have yet."""

import pytest

import random_model
from tests.small import picture
from visionllm import Options


def test_a_model_of_the_embedded_sizes_has_every_decoder():
    model = random_model.random_embedded()
    assert set(model.model.config.decoders) == {"detection", "pose", "generation", "editing"}
    assert model.pose(picture(), ["person"], options=Options(threshold=0, max_instances=2)).keypoints.shape[1:] == (
        17,
        2,
    )
    (made,) = model.generate("a star", options=Options(steps=1)).pictures
    assert made.shape[:2] == tuple(model.model.config.decoders["generation"]["picture_hw"])


@pytest.mark.parametrize("decoders", [("detection",), ("pose", "generation")])
def test_a_measurement_says_when_weights_are_random(decoders: tuple[str, ...]):
    model, note = random_model.model_with(*decoders)
    assert set(decoders) <= set(model.model.config.decoders)
    assert note == ("" if model._core.drawings_only else ", random weights")
