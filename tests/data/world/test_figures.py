"""Figures have the joints of their skeleton where a human would look for them."""

import hashlib
import time
from dataclasses import replace

import numpy as np
import pytest

from visionllm.data.world.figures import (
    FIGURES,
    View,
    animals,
    bird,
    build_bird,
    build_person,
    build_quadruped,
    draw_figure,
    person,
    sample_figure,
    skeleton_of,
)
from visionllm.data.world.figures.body import SIDES, hanging, pitched, turned
from visionllm.data.world.figures.plans import COATS, POSTURES, FigurePlan, coat_shade
from visionllm.data.world.pens import SCALE
from visionllm.data.world.splits import Dice, picture_dice
from visionllm.data.world.stacking import covered
from visionllm.types.skeletons import AP10K_ANIMAL, COCO_PERSON

EVERY = [(kind, posture) for kind in FIGURES for posture in POSTURES[kind]]
# Version 2 is frozen from its first training on.
FINGERPRINTS = {
    "person": "eb3236d0a755d6d8",
    "dog": "37dc16fedf4fa44f",
    "horse": "c9f59d69730a13e2",
    "bird": "7d6ba3f23c0c35ca",
}


def plan_of(kind: str, posture: str = "standing", yaw: float = 0.0, seed: int = 3, roll: float = 0.0) -> FigurePlan:
    view = View(yaw=yaw, roll=roll)
    return FigurePlan(kind=kind, colour=COATS[kind][0], posture=posture, view=view, seed=seed)


def spots(plan: FigurePlan, pen: str = "clean") -> dict[str, tuple[float, float]]:
    layers, _ = draw_figure(plan, 100, pen)
    return {n: (float(x), float(y)) for n, (x, y) in zip(skeleton_of(plan.kind).names, layers.keypoints, strict=True)}


def in_sight(plan: FigurePlan) -> set[str]:
    layers, _ = draw_figure(plan, 100)
    return {name for name, seen in zip(skeleton_of(plan.kind).names, layers.in_sight, strict=True) if seen}


def test_people_have_cocos_joints_and_animals_those_of_ap10k():
    assert skeleton_of("person") is COCO_PERSON
    assert {skeleton_of(kind) for kind in FIGURES[1:]} == {AP10K_ANIMAL}


@pytest.mark.parametrize(("kind", "posture"), EVERY)
def test_bodies_have_every_joint_of_their_skeleton(kind: str, posture: str):
    dice = picture_dice(1, "train")
    shade = (200, 40, 40)
    if kind == "person":
        body = build_person(dice, posture, shade)
    else:
        body = build_bird(dice, posture, shade) if kind == "bird" else build_quadruped(dice, kind, posture, shade)
    assert set(body.joints) == set(skeleton_of(kind).names)
    assert {name for piece in body.pieces for name in piece.joints} == set(body.joints)


@pytest.mark.parametrize(("kind", "posture"), EVERY)
@pytest.mark.parametrize("pen", ["clean", "hand-drawn"])
def test_joints_lie_on_the_figure(kind: str, posture: str, pen: str):
    for seed in range(3):
        layers, _ = draw_figure(plan_of(kind, posture, yaw=60.0 + 90 * seed, seed=seed), 90, pen)
        mask = np.pad(covered(layers.silhouette), 3)
        for (x, y), name in zip(layers.keypoints, skeleton_of(kind).names, strict=True):
            around = mask[int(y) : int(y) + 7, int(x) : int(x) + 7]
            assert around.any(), name


@pytest.mark.parametrize("kind", FIGURES)
def test_a_plan_always_gives_the_same_bytes(kind: str):
    one, two = (draw_figure(plan_of(kind, yaw=40.0), 80)[0] for _ in range(2))
    assert one.colours.tobytes() == two.colours.tobytes()
    assert one.silhouette.tobytes() == two.silhouette.tobytes()


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_are_frozen(kind: str):
    digest = hashlib.sha256()
    for seed in range(12):
        layers, shade = draw_figure(
            sample_figure(picture_dice(seed, "test"), kind), 80, ("clean", "hand-drawn")[seed % 2]
        )
        digest.update(layers.colours.tobytes() + layers.silhouette.tobytes() + repr(shade).encode())
        digest.update(layers.keypoints.round(3).tobytes() + layers.in_sight.tobytes())
    assert digest.hexdigest()[:16] == FINGERPRINTS[kind]


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("height", [20.0, 64.0, 120.0])
def test_a_figure_has_the_extent_asked_for(kind: str, height: float):
    mask = covered(draw_figure(plan_of(kind, yaw=90.0), height)[0].silhouette)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert abs(max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 - height) <= 3


def test_left_is_right_in_the_picture_of_who_faces_the_viewer_and_left_of_who_turns_away():
    facing, away = spots(plan_of("person", yaw=0.0)), spots(plan_of("person", yaw=180.0))
    for part in ("shoulder", "hip", "ankle", "wrist"):
        assert facing[f"left {part}"][0] > facing[f"right {part}"][0]
        assert away[f"left {part}"][0] < away[f"right {part}"][0]


@pytest.mark.parametrize(("yaw", "near", "far"), [(90.0, "right", "left"), (270.0, "left", "right")])
def test_in_a_side_view_the_near_eye_is_seen_and_the_far_one_is_not(yaw: float, near: str, far: str):
    for kind in FIGURES:
        seen = [in_sight(plan_of(kind, yaw=yaw, seed=seed)) for seed in range(12)]
        assert sum(f"{near} eye" in names for names in seen) >= 9, kind
        assert sum(f"{far} eye" in names for names in seen) <= 5, kind


def test_a_face_is_hidden_from_behind():
    for seed in range(8):
        assert not in_sight(plan_of("person", yaw=180.0, seed=seed)) & {"nose", "left eye", "right eye"}


def test_who_faces_right_has_the_nose_on_the_right():
    for kind in FIGURES:
        hips = ("left hip", "right hip")
        for yaw, sign in ((90.0, 1), (270.0, -1)):
            joints = spots(plan_of(kind, yaw=yaw))
            assert sign * (joints["nose"][0] - sum(joints[hip][0] for hip in hips) / 2) > 0, kind


def test_a_waving_person_has_a_wrist_well_above_the_shoulders():
    for seed in range(6):
        joints = spots(plan_of("person", "waving", seed=seed))
        assert min(joints[f"{side} wrist"][1] - joints[f"{side} shoulder"][1] for side, _ in SIDES) < -8


def test_a_grazing_horse_has_its_nose_near_the_ground():
    joints = spots(plan_of("horse", "grazing", yaw=90.0))
    assert joints["nose"][1] > joints["neck"][1] + 20


def test_far_limbs_are_darker():
    layers, _ = draw_figure(plan_of("horse", "walking", yaw=90.0), 120)
    pixels = np.asarray(layers.colours).astype(int).sum(-1)
    names = AP10K_ANIMAL.names

    def light(name: str) -> int:
        x, y = (layers.keypoints[names.index(name)] * SCALE).astype(int)
        return int(pixels[y, x])

    assert light("right knee") > light("left knee")


def test_views_have_words():
    assert [View(yaw=yaw).facing for yaw in (0, 44, 90, 180, 270, 359)] == [
        "front",
        "front",
        "right",
        "back",
        "left",
        "front",
    ]


def test_directions_in_space():
    assert hanging(1.0, 0, 0) == pytest.approx((0, -1, 0))
    assert hanging(1.0, 90, 0) == pytest.approx((0, 0, 1))
    assert hanging(-1.0, 0, 90) == pytest.approx((-1, 0, 0))
    assert pitched((0, 0, 1), 90) == pytest.approx((0, 1, 0))
    assert turned((0, 0, 1), 90) == pytest.approx((1, 0, 0))
    assert View(yaw=0, roll=90).project((0, 1, 0)) == pytest.approx((1, 0, 0))


def test_plans_cover_every_kind_colour_and_posture():
    plans = [sample_figure(picture_dice(seed, "train")) for seed in range(900)]
    for kind in FIGURES:
        own = [plan for plan in plans if plan.kind == kind]
        assert {plan.colour for plan in own} == set(COATS[kind])
        assert {plan.posture for plan in own} == set(POSTURES[kind])
        assert {"left", "right"} <= {plan.view.facing for plan in own}
    assert {plan.view.facing for plan in plans if plan.kind == "person"} == {"front", "back", "left", "right"}


def test_coats_are_as_dark_as_their_name():
    dice = picture_dice(0, "test")
    assert max(coat_shade(dice, "black")) < 80 < min(coat_shade(dice, "grey")) < 200 < min(coat_shade(dice, "white"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda dice: build_person(dice, "flying", (0, 0, 0)),
            "expected one of the postures standing, .*, got 'flying'",
        ),
        (
            lambda dice: build_bird(dice, "sitting", (0, 0, 0)),
            "expected one of the postures standing, .*, got 'sitting'",
        ),
        (lambda dice: build_quadruped(dice, "dog", "grazing", (0, 0, 0)), "got 'grazing' of 'dog'"),
        (lambda dice: build_quadruped(dice, "cat", "standing", (0, 0, 0)), "got 'standing' of 'cat'"),
    ],
)
def test_an_unknown_posture_is_refused(build, message: str):
    with pytest.raises(ValueError, match=message):
        build(picture_dice(0, "test"))


def test_limbs_drawn_by_hand_are_thinner():
    clean, hand = (
        covered(draw_figure(plan_of("horse", yaw=90.0), 100, pen)[0].silhouette).sum()
        for pen in ("clean", "hand-drawn")
    )
    assert hand < 0.97 * clean


def test_a_posture_of_each_module_stands_in_the_table():
    assert POSTURES["person"] == person.POSTURES
    assert POSTURES["bird"] == bird.POSTURES
    assert POSTURES["dog"] == animals.POSTURES["dog"]
    assert [side for side, _ in SIDES] == ["left", "right"]
    assert replace(plan_of("dog"), kind="horse").kind == "horse"


def test_drawing_figures_is_fast():
    plans = [sample_figure(Dice(np.random.default_rng(seed))) for seed in range(60)]
    start = time.process_time()
    for plan in plans:
        draw_figure(plan, 90)
    assert 60 / (time.process_time() - start) > 40
