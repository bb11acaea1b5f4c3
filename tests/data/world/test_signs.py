"""Signs can be read."""

import numpy as np
import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.palette import contrast
from visionllm.data.world.signs import BOARDS, SHAPES, WORDS, draw_sign, sample_sign, sample_words
from visionllm.data.world.splits import picture_dice
from visionllm.data.world.stacking import covered
from visionllm.data.world.staging.items import SignItem
from visionllm.data.world.staging.painting import StagedPicture


def test_signs_say_one_to_three_different_words():
    dice = picture_dice(0, "train")
    drawn = [sample_words(dice) for _ in range(200)]
    assert {len(words) for words in drawn} == {1, 2, 3}
    assert all(len(set(words)) == len(words) and set(words) <= set(WORDS) for words in drawn)


def test_words_are_short_and_different():
    assert len(set(WORDS)) == len(WORDS) >= 60
    assert max(map(len, WORDS)) <= 7


def test_every_shape_and_colour_is_drawn():
    plans = [sample_sign(picture_dice(seed, "train"), 128) for seed in range(300)]
    assert {plan.shape for plan in plans} == set(SHAPES)
    assert {plan.colour for plan in plans} == set(BOARDS)
    assert all(" ".join(plan.lines) == plan.text for plan in plans)


def test_letters_stand_out_from_their_board():
    for seed in range(200):
        plan = sample_sign(picture_dice(seed, "train"), 128)
        assert contrast(plan.board, plan.ink) > 38, plan


@pytest.mark.parametrize("shorter", [96, 128, 224])
def test_letters_have_at_least_nine_pixels_and_signs_fit_the_canvas(shorter: int):
    fits = 0
    for seed in range(60):
        plan = sample_sign(picture_dice(seed, "train"), shorter)
        assert plan.letters >= 9
        patch = covered(draw_sign(plan).silhouette)
        fits += max(patch.shape) <= shorter
    assert fits >= 55


def test_a_plan_always_gives_the_same_bytes():
    plan = sample_sign(picture_dice(4, "train"), 128)
    one, two = draw_sign(plan), draw_sign(plan)
    assert one.colours.tobytes() == two.colours.tobytes()


def test_ink_lies_on_the_board_only():
    for seed in range(40):
        plan = sample_sign(picture_dice(seed, "train"), 128)
        layers = draw_sign(plan)
        ink = (np.abs(np.asarray(layers.colours).astype(int) - plan.ink).sum(-1) < 30) & (
            np.abs(np.asarray(layers.colours).astype(int) - plan.board).sum(-1) > 90
        )
        assert ink.sum() > 40
        assert (np.asarray(layers.silhouette)[ink] > 100).mean() > 0.99


def test_letters_are_where_the_ink_is():
    for seed in range(12):
        picture = draw_picture(seed, version=2, theme="signs", photos=False)
        assert isinstance(picture, StagedPicture)
        for sign in picture.scene.signs:
            assert "".join(letter for letter, _, _ in sign.letters) == sign.text.replace(" ", "")
            x0, y0, x1, y1 = sign.box
            if sign.visible > 0.99:
                assert all(x0 < x < x1 and y0 < y < y1 for _, x, y in sign.letters)
        for item in picture.stage.items:
            if isinstance(item, SignItem):
                pixels = np.asarray(item.layers.colours, np.int64)
                ink = np.abs(pixels - np.array(item.plan.ink)).sum(2) < 120
                for letter, x, y in item.layers.letters:
                    reach = round(item.plan.letters)
                    near = ink[int(y) - reach : int(y) + reach, int(x) - reach // 2 : int(x) + reach // 2 + 1]
                    assert near.any(), letter
