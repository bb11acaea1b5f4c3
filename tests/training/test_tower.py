"""Every cell is told what covers it."""

from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest
import torch
from transformers import ResNetBackbone, ResNetConfig

from visionllm.data.world import KINDS, draw_picture
from visionllm.training.pictures import FIRST, Pictures
from visionllm.training.readings import HEADS, IGNORED, THINGS
from visionllm.training.tower import WIDE_HEADS, DenseTower, TowerObjective, dense_targets

SIZES = {"side": 64, "strides": (8, 16), "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
DRAWN = Pictures(seed=0, photos=False)


def tower(*, wide: bool = False):
    sizes: dict[str, Any] = {
        "embedding_size": 8,
        "hidden_sizes": [8, 12, 16],
        "depths": [1, 1, 1],
        "layer_type": "basic",
    }
    sizes["out_features"] = ["stage2", "stage3"]
    config = ResNetConfig(**sizes)
    return DenseTower(ResNetBackbone(config), [12, 16], wide=wide)


@pytest.mark.parametrize("size_hw", [(128, 128), (96, 160), (200, 100)])
def test_a_cell_that_one_object_fills_reads_that_object(size_hw):
    picture = draw_picture(3, split="validation", size_hw=size_hw, photos=False)
    (target,) = dense_targets(picture, 128, (8,))
    longer = max(size_hw)
    top, left = (longer - size_hw[0]) // 2, (longer - size_hw[1]) // 2
    checked = 0
    for thing in picture.scene.objects:
        for row in range(16):
            for column in range(16):
                y, x = (
                    (np.array([row, row + 1]) * longer / 128 * 8).astype(int),
                    (np.array([column, column + 1]) * longer / 128 * 8).astype(int),
                )
                inside = thing.mask[max(0, y[0] - top) : max(0, y[1] - top), max(0, x[0] - left) : max(0, x[1] - left)]
                if inside.size and inside.all() and inside.size == (y[1] - y[0]) * (x[1] - x[0]):
                    assert target["kind"][row, column] == KINDS.index(thing.kind) + 1
                    assert target["colour"][row, column] == HEADS["colour"].index(thing.colour)
                    checked += 1
    assert checked > 3


def test_distances_lead_from_the_cell_to_the_sides_of_the_box():
    picture = draw_picture(3, split="validation", photos=False)
    (target,) = dense_targets(picture, 128, (8,))
    thing = picture.scene.objects[0]
    rows, columns = np.nonzero(
        (target["kind"] == KINDS.index(thing.kind) + 1) & (target["colour"] == HEADS["colour"].index(thing.colour))
    )
    left, top, right, bottom = target["box"][:, rows[0], columns[0]] * 128
    x, y = (columns[0] + 0.5) * 8, (rows[0] + 0.5) * 8
    boxes = [o.box for o in picture.scene.objects]
    assert tuple(round(float(v)) for v in (x - left, y - top, x + right, y + bottom)) in boxes


def test_an_empty_picture_is_all_background():
    empty = next(
        p for p in (draw_picture(i, split="validation", photos=False) for i in range(200)) if not p.scene.objects
    )
    (target,) = dense_targets(empty, 64, (16,))
    assert (target["kind"] == 0).all()
    assert (target["colour"] == IGNORED).all()
    assert np.isnan(target["box"]).all()


def test_batches_depend_on_their_step_alone_and_have_gradients():
    objective = TowerObjective(pictures=2, drawn=DRAWN, **SIZES)
    (pixels, levels), (again, _) = objective.batch(5), objective.batch(5)
    assert torch.equal(pixels, again)
    assert pixels.shape == (2, 3, 64, 64)
    assert [level["kind"].shape for level in levels] == [(2, 8, 8), (2, 4, 4)]
    module = tower()
    losses = objective.losses(module, (pixels, levels))
    assert set(losses) == {*HEADS, "box"}
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_scores_are_shares_of_cells_on_both_maps():
    scores = TowerObjective(pictures=4, drawn=DRAWN, **SIZES).scores(tower().eval(), pictures=4)
    assert {"kind@8", "colour@16", "kind+colour@8"} <= set(scores)
    assert all(0 <= value <= 1 for value in scores.values())


@pytest.mark.parametrize("theme", ["figures", "signs", "aerial", "camouflage"])
def test_cells_of_version_two_name_everything_that_is_there(theme):
    picture = draw_picture(3, version=2, theme=theme, photos=False)
    (target,) = dense_targets(picture, 128, (8,), wide=True)
    named = {THINGS[k - 1] for k in np.unique(target["kind"]) if k > 0}
    assert named <= {thing.kind for thing in picture.scene.things}
    assert named
    assert target["letter"].shape == (16, 16)


def test_cells_of_a_sign_say_its_letters_and_no_other_cell_does():
    drawn = (draw_picture(i, version=2, theme="signs", photos=False, vary_size=False) for i in range(50))
    picture = next(p for p in drawn if len(p.scene.signs) == 1 and len(p.scene.things) == 1)
    sign = picture.scene.signs[0]
    (target,) = dense_targets(picture, 128, (8,), wide=True)
    rows, columns = np.nonzero(target["letter"] != IGNORED)
    assert len(rows)
    assert (target["kind"][rows, columns] != 0).all()
    for row, column in zip(rows, columns, strict=True):
        near = [letter.lower() for letter, x, y in sign.letters if (x // 8, y // 8) == (column, row)]
        assert ascii_lowercase[target["letter"][row, column]] in near


def test_a_wide_tower_learns_kinds_and_words_of_both_versions():
    drawn = Pictures(seed=0, photos=False, themes={FIRST: 1.0, "signs": 1.0})
    objective = TowerObjective(pictures=4, drawn=drawn, **SIZES)
    module = tower(wide=True)
    losses = objective.losses(module, objective.batch(0))
    assert set(losses) == {*WIDE_HEADS, "box"}
    assert all(loss.isfinite() for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert "letter@8" in objective.scores(module.eval(), pictures=4)
