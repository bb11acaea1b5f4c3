"""The judge sees what was drawn, and refuses what differs in one thing."""

import colorsys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from visionllm.data.world import draw_picture
from visionllm.data.world.figures import FIGURES, FigurePlan, View, draw_figure
from visionllm.data.world.judging import Wanted, Wish, edit_done, perceive, psnr_outside, read_wish, shows
from visionllm.data.world.judging.ground import fit_ground, foreground, patches
from visionllm.data.world.judging.hues import name_shade, names_of
from visionllm.data.world.judging.measuring import Rates, judge_drawing, judge_editing
from visionllm.data.world.judging.shapes import depth, eroded, filled, grown, parts, resampled
from visionllm.data.world.judging.silhouettes import (
    Turn,
    body_of,
    match_figure,
    match_kind,
    normalised,
    outline_mask,
    radius_of,
)
from visionllm.data.world.judging.wishes import neighbours, wish_for
from visionllm.data.world.palette import sample_shade
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.scene import COLOURS, KINDS
from visionllm.data.world.splits import picture_dice
from visionllm.data.world.stacking import covered

BLANK = np.full((128, 128, 3), 240, dtype=np.uint8)


def studio(seed: int):
    return draw_picture(seed, split="test", version=2, theme="studio")


def wanted(text: str) -> Wanted:
    return read_wish(text).wanted[0]


def test_nothing_is_seen_in_an_empty_picture():
    assert perceive(BLANK) == ()
    ramp = np.repeat(np.linspace(180, 250, 128).round().astype(np.uint8)[:, None], 128, axis=1)
    assert perceive(np.repeat(ramp[..., None], 3, axis=2)) == ()


def test_a_picture_of_another_form_is_refused():
    with pytest.raises(ValueError, match=r"expected pixels uint8\[H, W, 3\], got float64\[4, 4, 3\]"):
        perceive(np.zeros((4, 4, 3)))  # pyright: ignore[reportArgumentType]


def test_things_are_seen_with_kind_colour_and_place():
    for seed in range(20):
        picture = studio(seed)
        seen = perceive(picture.pixels)
        assert len(seen) == len(picture.scene.things)
        for thing in picture.scene.objects:
            best = max(seen, key=lambda one: np.count_nonzero(one.mask & thing.mask))
            assert (best.kind, best.colour, best.fill) == (thing.kind, thing.colour, thing.fill)
            assert np.abs(np.array(best.box) - thing.box).max() <= 2


def test_a_soft_and_noisy_picture_is_seen_as_well():
    right = 0
    for seed in range(20):
        picture = studio(seed)
        soft = ndimage.gaussian_filter(picture.pixels.astype(float), (0.7, 0.7, 0))
        noise = np.random.default_rng(seed).normal(0, 4, soft.shape)
        things = wish_for(picture.scene.things)
        right += shows(np.clip(soft + noise, 0, 255).astype(np.uint8), things)
    assert right >= 17


def test_the_ground_is_a_ramp_under_the_things():
    rows = np.linspace(200, 250, 96)
    pixels = np.repeat(np.repeat(rows[:, None, None], 128, axis=1), 3, axis=2).round().astype(np.uint8)
    pixels[30:60, 30:70] = (200, 20, 20)
    ground = fit_ground(pixels)
    assert np.abs(ground[..., 0] - rows[:, None]).max() < 2
    solid, away = foreground(pixels, ground)
    assert solid.sum() == 30 * 40
    assert away[40, 40] > 100


def test_patches_hold_what_lies_inside_them_and_specks_are_left_out():
    mask = np.zeros((40, 60), dtype=bool)
    mask[5:25, 5:25] = True
    mask[8:22, 8:22] = False
    mask[14:16, 14:16] = True
    mask[30, 50] = True
    assert [np.count_nonzero(part) for part in patches(mask)] == [400]
    assert patches(np.zeros((5, 5), dtype=bool)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_at_any_angle(kind: str):
    for angle in (0, 33, 77, 141, 250):
        mask = np.pad(outline_mask(kind, 17.0, Turn(angle=angle, squeeze=0.96, skew=20.0)), 4)
        solid = mask.copy()
        if kind == "ring":
            rows, columns = np.mgrid[: len(mask), : mask.shape[1]]
            solid &= np.hypot(rows - len(mask) / 2, columns - mask.shape[1] / 2) > 0.52 * 17
        match = match_kind(mask, solid)
        assert (match.kind, match.fit > 0.8) == (kind, True)
        assert radius_of(match, mask) == pytest.approx(17.0, rel=0.12)


def test_a_body_leaves_out_edge_hole_and_details():
    mask = outline_mask("house", 30.0, Turn())
    match = match_kind(mask, mask)
    body = body_of(match, mask, 0.1)
    assert 0.2 < body.sum() / mask.sum() < 0.75
    assert not (body & ~mask).any()
    rows, columns = np.nonzero(mask)
    assert not body[rows.max() - 6, round(columns.mean())]


@pytest.mark.parametrize("kind", FIGURES)
def test_most_figures_are_told_by_their_silhouette(kind: str):
    told = 0
    for seed in range(10):
        plan = FigurePlan(
            kind=kind, colour="brown", posture="standing", view=View(yaw=75.0 + seed * 3), seed=900 + seed
        )
        told += match_figure(covered(draw_figure(plan, 60)[0].silhouette)).kind == kind
    assert told >= 9


def test_silhouettes_are_compared_whatever_their_place_and_size():
    small, large = np.pad(outline_mask("star", 15.0, Turn()), ((3, 9), (12, 1))), outline_mask("star", 30.0, Turn())
    assert np.abs(normalised(small) - normalised(large)).mean() < 0.03


@pytest.mark.parametrize("colour", COLOURS)
def test_shades_have_the_name_they_were_drawn_for(colour: str):
    dice = picture_dice(1, "test")
    assert {name_shade(sample_shade(dice, colour)) for _ in range(100)} == {colour}


def test_a_person_is_named_by_the_shirt():
    skin, shirt, trousers = (226, 178, 140), (210, 30, 40), (44, 52, 84)
    pixels = np.array([skin] * 30 + [shirt] * 30 + [trousers] * 40, dtype=np.uint8)
    assert names_of(pixels, COLOURS, person=True)[0] == "red"
    assert names_of(np.array([skin] * 9, dtype=np.uint8), COLOURS, person=True)[0] in COLOURS
    assert colorsys.rgb_to_hsv(*(c / 255 for c in skin))[1] < 0.62


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("white", [(240, 240, 238)] * 30 + [(170, 168, 168)] * 70),
        ("black", [(40, 40, 40)] * 40 + [(130, 130, 130)] * 60),
        ("grey", [(150, 150, 150)] * 80 + [(40, 40, 40)] * 20),
        ("brown", [(120, 70, 35)] * 60 + [(60, 35, 20)] * 40),
    ],
)
def test_animals_are_named_by_their_coat(name: str, pixels: list[tuple[int, int, int]]):
    found, _ = names_of(np.array(pixels, dtype=np.uint8), ("brown", "black", "white", "grey"), person=False)
    assert found == name


@pytest.mark.parametrize(
    "words",
    [
        "a red star",
        "two blue fish and an orange arrow",
        "a striped red circle, three green trees and a person in blue",
        "a red star left of a blue house",
    ],
)
def test_wishes_are_read_from_their_words(words: str):
    assert read_wish(words).words.replace("red striped", "striped red") == words


def test_people_are_counted_in_english():
    assert read_wish("two people in red").wanted == (Wanted(count=2, phrase=Phrase(kind="person", colour="red")),)
    assert read_wish("two people in red").words == "two people in red"
    assert Wanted(count=1, phrase=Phrase(kind="person")).words == "a person"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a red dragon", "expected words of the picture world, got 'dragon'"),
        ("red star", "expected a number and a kind, as in 'two red stars', got 'red star'"),
        ("a red star left of two fish", "expected one of left of, .* between two single things"),
    ],
)
def test_what_is_no_wish_is_refused(words: str, message: str):
    with pytest.raises(ValueError, match=message):
        read_wish(words)


def test_a_relation_stands_between_two_single_things():
    with pytest.raises(ValueError, match="between two single things"):
        Wish(wanted=(wanted("a red star"),), relation="left of")


def test_neighbours_differ_in_one_thing():
    dice = picture_dice(0, "test")
    wish = read_wish("a red star and two blue fish")
    for _ in range(30):
        for change, other in neighbours(wish, dice).items():
            assert other != wish
            assert change in ("colour", "kind", "count")
    assert neighbours(read_wish("a red star above a blue fish"), dice)["relation"].relation == "below"


def test_a_picture_with_more_than_was_wished_for_is_refused():
    picture = studio(next(seed for seed in range(50) if len(studio(seed).scene.objects) == 2))
    things = picture.scene.objects
    assert shows(picture.pixels, wish_for(picture.scene.things))
    assert not shows(picture.pixels, wish_for(things[:1]))


def test_doing_nothing_is_no_edit():
    before, after = studio(1).pixels, studio(2).pixels
    assert edit_done(after, before, after)
    assert not edit_done(before, before, after)
    assert edit_done(BLANK, after, BLANK)
    with pytest.raises(ValueError, match="expected pictures of one size"):
        edit_done(before[:50], before, after)


def test_the_truth_may_be_handed_to_the_judge():
    picture = studio(3)
    assert edit_done(picture.pixels, BLANK, picture.pixels, picture.scene.things)
    assert not edit_done(picture.pixels, BLANK, picture.pixels, picture.scene.things[:-1])


def test_another_ground_is_seen():
    wanted_pixels = np.full((64, 64, 3), (190, 220, 255), dtype=np.uint8)
    assert not edit_done(BLANK[:64, :64], BLANK[:64, :64], wanted_pixels)


def test_psnr_looks_outside_the_edit_alone():
    after = BLANK.copy()
    changed = np.zeros((128, 128), dtype=bool)
    changed[:20, :20] = True
    after[:20, :20] = 0
    assert psnr_outside(BLANK, after, changed) == 100
    after[100, 100] = 0
    assert 30 < psnr_outside(BLANK, after, changed) < 60
    assert psnr_outside(BLANK, BLANK - 10, changed) == pytest.approx(28.13, abs=0.01)


def test_psnr_needs_something_outside():
    with pytest.raises(ValueError, match="expected some pixels outside the edit, got none"):
        psnr_outside(BLANK, BLANK, np.ones((128, 128), dtype=bool))
    with pytest.raises(ValueError, match="expected one size"):
        psnr_outside(BLANK, BLANK[:5], np.ones((128, 128), dtype=bool))


def test_rates_count_and_keep_what_was_missed():
    rates = Rates()
    assert rates.share == 1
    rates.add(True, 1)
    rates.add(False, 2)
    assert (rates.share, rates.missed) == (0.5, [2])


def test_the_judge_is_right_about_a_few_pictures():
    for rates in (judge_drawing(range(12)), judge_editing(range(4))):
        assert sum(rate.right for rate in rates.values()) >= 0.95 * sum(rate.judged for rate in rates.values())


@pytest.mark.slow
def test_the_judge_is_right_about_real_renders_and_refuses_wrong_ones():
    drawing, editing = judge_drawing(range(500)), judge_editing(range(120))

    def share(rates: dict[str, Rates], begin: str) -> float:
        chosen = [rate for name, rate in rates.items() if name.startswith(begin)]
        return sum(rate.right for rate in chosen) / sum(rate.judged for rate in chosen)

    assert share(drawing, "draw-") >= 0.98
    assert min(rate.share for name, rate in drawing.items() if name.startswith("wrong")) >= 0.95
    assert min(drawing["plain"].share, drawing["gradient"].share) >= 0.98
    assert share(editing, "edit-") >= 0.98
    assert min(editing["nothing done"].share, editing["another edit"].share) >= 0.95


def test_pictures_of_any_size_are_judged():
    picture = draw_picture(4, split="test", version=2, theme="studio", size_hw=(112, 176))
    assert shows(picture.pixels, wish_for(picture.scene.things))
    assert Image.fromarray(picture.pixels).size == (176, 112)


def test_masks_are_filled_grown_eroded_and_cut():
    ring = np.zeros((9, 12), dtype=bool)
    ring[1:8, 1:8] = True
    ring[3:6, 3:6] = False
    ring[4, 10] = True
    assert filled(ring).sum() == 50
    assert grown(ring, 0) is ring
    assert eroded(filled(ring), 1)[4].tolist() == [False, False, *[True] * 5, *[False] * 5]
    assert grown(eroded(filled(ring), 1), 1).sum() == 45
    assert [part.sum() for part in parts(ring)] == [40, 1]
    assert parts(np.zeros((3, 3), dtype=bool)) == []
    assert depth(filled(ring))[4, 4] == 4
    assert resampled(ring, 1.0, np.zeros(2), 9)[4, 1] == 1
