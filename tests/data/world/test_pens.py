import numpy as np
import pytest

from visionllm.data.world.pens import Layers, Pose, draw_layers
from visionllm.data.world.scene import FILLS, KINDS, PENS
from visionllm.data.world.splits import picture_dice

POSE = Pose(centre=(40.3, 38.9), radius=20.0, angle=30.0, mirrored=True)


def drawn(pen: str, kind: str, fill: str, *, seed: int = 0) -> Layers:
    return draw_layers(picture_dice(seed, "test"), pen, kind, fill, POSE)


def covered(layers: Layers, name: str) -> int:
    return int((np.asarray(getattr(layers, name)) > 127).sum())


@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("kind", KINDS)
def test_ink_stays_inside_the_silhouette(pen, fill, kind):
    layers = drawn(pen, kind, fill)
    assert not (np.asarray(layers.ink) > np.asarray(layers.silhouette)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_leave_paper_and_solid_leaves_little(kind):
    for pen in PENS:
        share = {}
        for fill in FILLS:
            layers = drawn(pen, kind, fill)
            share[fill] = covered(layers, "ink") / covered(layers, "silhouette")
        assert share["solid"] > 0.8
        assert all(share[fill] < 0.93 for fill in FILLS[1:])


@pytest.mark.parametrize("pen", PENS)
def test_the_silhouette_is_centred_and_has_the_radius_asked_for(pen):
    layers = drawn(pen, "circle", "outline")
    y, x = np.nonzero(np.asarray(layers.silhouette))
    centre = np.array([x.mean(), y.mean()]) / 2 + layers.origin
    assert np.abs(centre - POSE.centre).max() < 1.5
    assert 2 * POSE.radius * 0.75 < (x.max() - x.min()) / 2 < 2 * POSE.radius * 1.2


def test_an_angle_turns_clockwise():
    pose = Pose(centre=(40.0, 40.0), radius=20.0, angle=90.0, mirrored=False)
    layers = draw_layers(picture_dice(0, "test"), "clean", "arrow", "solid", pose)
    rows = (np.asarray(layers.silhouette) > 0).sum(axis=1)
    assert np.argmax(rows) > len(rows) / 2  # an upright arrow points right; turned by 90 its wide head is below


def test_a_hand_never_draws_the_same_shape_twice():
    first, second = drawn("hand-drawn", "square", "solid"), drawn("hand-drawn", "square", "solid", seed=1)
    assert first.silhouette.tobytes() != second.silhouette.tobytes()


def test_only_clean_solid_objects_have_a_rim():
    rims = {(pen, fill): drawn(pen, "heart", fill).rim is not None for pen in PENS for fill in FILLS}
    assert [key for key, has in rims.items() if has] == [("clean", "solid")]


def test_small_objects_have_no_details():
    tiny = Pose(centre=(20.0, 20.0), radius=8.0, angle=0.0, mirrored=False)
    layers = draw_layers(picture_dice(0, "test"), "clean", "house", "solid", tiny)
    assert layers.ink.tobytes() == layers.silhouette.tobytes()
