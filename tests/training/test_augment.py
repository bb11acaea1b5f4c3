"""Changed pictures keep exact truth."""

import numpy as np
import pytest

from visionllm.data.world import draw_picture
from visionllm.training.augment import flipped, rescaled, varied


@pytest.fixture(scope="module")
def picture():
    return draw_picture(5, split="validation", size_hw=(96, 160), photos=False)


def extent(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


@pytest.mark.parametrize("change", [flipped, lambda p: rescaled(p, 0.8), lambda p: rescaled(p, 1.25)])
def test_boxes_still_are_the_extents_of_their_masks(picture, change):
    changed = change(picture)
    assert changed.scene.objects
    for thing in changed.scene.objects:
        assert thing.box == extent(thing.mask)
        assert thing.mask.shape == changed.scene.size_hw == changed.pixels.shape[:2]


def test_a_mirrored_pixel_is_where_it_belongs(picture):
    changed = flipped(picture)
    assert (changed.pixels[10, 0] == picture.pixels[10, 159]).all()
    x0, _, x1, _ = picture.scene.objects[0].box
    assert changed.scene.objects[0].box[0] == 160 - x1
    assert changed.scene.objects[0].box[2] == 160 - x0


def test_mirroring_twice_gives_the_picture_back(picture):
    assert (flipped(flipped(picture)).pixels == picture.pixels).all()


def test_a_factor_of_nothing_is_refused(picture):
    with pytest.raises(ValueError, match="factor above 0, got 0"):
        rescaled(picture, 0)


def test_a_factor_that_hides_an_object_is_refused(picture):
    with pytest.raises(ValueError, match="leaves everything visible"):
        rescaled(picture, 0.005)


def test_variation_depends_on_the_stream_alone(picture):
    once, again = (varied(picture, np.random.default_rng(3)) for _ in range(2))
    assert (once.pixels == again.pixels).all()
