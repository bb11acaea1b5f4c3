import math
from itertools import combinations

import numpy as np
import pytest

from visionllm.data.world.kinds import template
from visionllm.data.world.pens import Pose, draw_clean
from visionllm.data.world.scene import KINDS
from visionllm.data.world.splits import picture_dice


def silhouette(kind: str, angle: float) -> np.ndarray:
    pose = Pose(centre=(24.0, 24.0), radius=20.0, angle=angle, mirrored=False)
    canvas = np.zeros((160, 160), dtype=bool)
    layers = draw_clean(picture_dice(0, "test"), kind, "solid", pose)
    patch = np.asarray(layers.silhouette) > 0
    canvas[: patch.shape[0], : patch.shape[1]] = patch
    return canvas


@pytest.mark.parametrize("kind", KINDS)
def test_templates_touch_the_unit_circle_and_stay_inside(kind):
    shape = template(kind)
    assert np.hypot(*shape.outer.points.T).max() == pytest.approx(1, abs=1e-3)
    for contour in (*shape.holes, *shape.details):
        assert np.hypot(*contour.points.T).max() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_dense_lines_have_no_long_steps_and_matching_waves(kind):
    shape = template(kind)
    for contour in (shape.outer, *shape.holes, *shape.details):
        steps = np.roll(contour.dense, -1, axis=0) - contour.dense
        assert np.hypot(*steps.T).max() < 0.15
        assert contour.waves.shape[1] == len(contour.dense)


def test_corners_are_where_the_line_turns():
    assert len(template("square").outer.corners) == 4
    assert len(template("hexagon").outer.corners) == 6
    assert len(template("circle").outer.corners) == 0
    assert len(template("star").outer.corners) == 10


def test_no_two_kinds_have_nearly_the_same_silhouette_in_any_rotation():
    upright = {kind: silhouette(kind, 0) for kind in KINDS}
    turned = {kind: [silhouette(kind, angle) for angle in range(0, 360, 15)] for kind in KINDS}
    for first, second in combinations(KINDS, 2):
        overlap = max((upright[first] & other).sum() / (upright[first] | other).sum() for other in turned[second])
        assert overlap < 0.88, (first, second)


@pytest.mark.parametrize("kind", ["ring", "cup", "key"])
def test_holes_are_no_part_of_the_silhouette(kind):
    shape = template(kind)
    pose = Pose(centre=(40.0, 40.0), radius=30.0, angle=0.0, mirrored=False)
    layers = draw_clean(picture_dice(0, "test"), kind, "outline", pose)
    x, y = shape.holes[0].points.mean(axis=0) * 30 + 40
    at = (math.floor(2 * (x - layers.origin[0])), math.floor(2 * (y - layers.origin[1])))
    assert layers.silhouette.getpixel(at) == 0


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"expected one of the kinds circle, .*, got 'duck'"):
        template("duck")
