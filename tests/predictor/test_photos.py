"""Photos are told from drawings."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionllm.data.world import draw_picture
from visionllm.predictor.photos import looks_like_photo, shaded_share

DRAWINGS = ("badge", "colouring", "desk", "harbour", "night", "stars", "village")


def share_of_alarms(split: str, count: int = 60) -> float:
    pictures = (Image.fromarray(draw_picture(seed, split=split, photos=False).pixels) for seed in range(count))
    return float(np.mean([looks_like_photo(picture) for picture in pictures]))


@pytest.mark.parametrize("split", ["test", "hand-drawn", "crowded"])
def test_pictures_of_the_world_hardly_ever_raise_an_alarm(split):
    assert share_of_alarms(split) <= 0.05


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_from_elsewhere_raise_none(name, examples):
    assert not looks_like_photo(Image.open(examples / f"{name}.png"))


def test_the_example_photo_is_told(examples):
    assert looks_like_photo(Image.open(examples / "photo.png"))


@pytest.mark.parametrize("name", ["astronaut", "camera", "chelsea", "coffee", "coins", "ihc", "motorcycle_left"])
def test_photos_are_told_large_and_small(name):
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the photos come with scikit-image")
    photo = Image.open(Path(spec.submodule_search_locations[0]) / "data" / f"{name}.png")
    assert looks_like_photo(photo)
    assert looks_like_photo(photo.convert("RGB").resize((160, 120)))


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (128, 128)])
def test_a_plain_picture_of_any_size_is_not_shaded(size):
    assert shaded_share(Image.new("RGB", size, (200, 30, 90))) == 0


def test_a_gradient_is_a_ground_and_not_shaded():
    ramp = np.linspace(0, 255, 128).astype(np.uint8)[None, :, None].repeat(128, 0).repeat(3, 2)
    assert shaded_share(Image.fromarray(ramp)) < 0.01
