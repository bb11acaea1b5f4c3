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


def staged(theme, seed=3):
    return draw_picture(seed, photos=False, size_hw=(96, 160), version=2, theme=theme)


def test_a_mirrored_find_is_where_it_belongs():
    before = staged("aerial")
    after = flipped(before)
    assert after.scene.finds
    for thing in after.scene.finds:
        assert thing.box == extent(thing.mask)
    assert after.scene.finds[0].box[0] == 160 - before.scene.finds[0].box[2]


@pytest.mark.parametrize("theme", ["figures", "signs"])
def test_signs_and_figures_are_not_mirrored(theme):
    with pytest.raises(ValueError, match="expected a picture without figures and signs, got"):
        flipped(staged(theme))


def test_keypoints_grow_with_their_figure():
    before = staged("figures")
    after = rescaled(before, 1.25)
    assert after.scene.size_hw == (120, 200)
    assert after.scene.figures
    for figure, was in zip(after.scene.figures, before.scene.figures, strict=True):
        assert figure.box == extent(figure.mask)
        assert figure.keypoints == pytest.approx(was.keypoints * 1.25, abs=1e-3)
        assert figure.keypoints.dtype == np.float32
        assert (figure.visibility == was.visibility).all()


def test_pictures_of_the_studio_and_those_with_signs_stay_what_they_are():
    for picture in (staged("studio"), staged("signs")):
        assert all(varied(picture, np.random.default_rng(seed)) is picture for seed in range(6))


def test_pictures_with_figures_are_rescaled_only():
    picture = staged("figures")
    assert not picture.scene.signs
    made = [varied(picture, np.random.default_rng(seed)) for seed in range(12)]
    assert any(other is not picture for other in made)
    for other in made:
        if other is not picture:
            assert other.scene.size_hw != picture.scene.size_hw


@pytest.mark.parametrize("theme", ["mixed", "figures", "camouflage", "aerial", "scan", "workpiece"])
def test_every_picture_of_a_theme_can_be_varied(theme):
    rng = np.random.default_rng(0)
    for seed in range(40):
        picture = varied(draw_picture(seed, photos=False, version=2, theme=theme), rng)
        for thing in picture.scene.things:
            assert thing.box == extent(thing.mask)
            assert thing.mask.shape == picture.pixels.shape[:2]
