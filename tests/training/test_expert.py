"""The expert is asked what is true."""

import numpy as np
import pytest
import torch
from torch import nn

from visionllm.data.world import UNSEEN_PAIRS, draw_picture
from visionllm.training.expert import attribute_aims, class_aims, kinds_of, place_aims, place_of


@pytest.fixture(scope="module")
def pictures():
    return [draw_picture(i, split="train", photos=False) for i in range(40)]


@pytest.fixture
def objective(run):
    return run.objective(run.recipe.stage("expert"))


def test_all_kinds_are_listed_about_half_of_the_time_and_nothing_is_listed_twice(pictures):
    lists = [[aim.phrase.kind for aim in class_aims(p, np.random.default_rng(i))[0]] for i, p in enumerate(pictures)]
    assert 0.25 < np.mean([len(kinds) == 20 for kinds in lists]) < 0.75
    assert all(len(set(kinds)) == len(kinds) for kinds in lists)


@pytest.mark.parametrize("draw", [class_aims, attribute_aims])
def test_every_object_that_fits_is_a_hit_of_its_aim(pictures, draw):
    for number, picture in enumerate(pictures):
        aims, hits = draw(picture, np.random.default_rng(number))
        wanted = {(id(o), k) for o in picture.scene.objects for k, aim in enumerate(aims) if aim.phrase.fits(o)}
        assert {(id(o), k) for o, k in hits} == wanted


def test_no_aim_joins_a_pair_that_is_held_out(pictures):
    for number, picture in enumerate(pictures):
        for aim in attribute_aims(picture, np.random.default_rng(number))[0]:
            assert (aim.phrase.kind, aim.phrase.colour) not in UNSEEN_PAIRS


def test_a_place_is_near_the_box_of_its_object(pictures):
    aims, hits = place_aims(pictures[0], np.random.default_rng(0))
    assert 1 <= len(aims) == len(hits) <= 4
    for aim, (thing, _) in zip(aims, hits, strict=True):
        assert aim.place is not None
        cx, cy, w, h = place_of(thing, pictures[0].scene.size_hw)
        assert abs(aim.place[0] - cx) < 0.3 * w
        assert abs(aim.place[1] - cy) < 0.3 * h


def test_the_place_of_an_object_is_its_box_as_shares():
    picture = draw_picture(3, split="validation", size_hw=(96, 160), photos=False)
    thing = picture.scene.objects[0]
    x0, y0, x1, y1 = thing.box
    assert place_of(thing, (96, 160)) == ((x0 + x1) / 320, (y0 + y1) / 192, (x1 - x0) / 160, (y1 - y0) / 96)


def test_batches_depend_on_their_step_alone_and_teach_every_part(objective, run):
    batch, again = objective.batch(3), objective.batch(3)
    assert torch.equal(batch.codes, again.codes)
    assert len(batch.targets) == len(batch.codes) == len(batch.images_of)
    module = run.module(run.recipe.stage("expert")).train()
    losses = objective.losses(module, batch)
    torch.stack(list(losses.values())).sum().backward()
    assert all(value.isfinite() for value in losses.values())
    assert module.aims.slots.weight.grad is not None


def test_a_judge_sees_every_picture(objective, run):
    seen = []

    def judge(truths, results):
        seen.append((len(truths), len(results)))
        return {"right": 1.0}

    objective.judge = judge
    module = run.module(run.recipe.stage("expert")).eval()
    assert objective.scores(module, pictures=4) == {"right": 1.0}
    assert seen == [(4, 4)]


def test_without_a_judge_nothing_is_scored(objective, run):
    assert objective.scores(run.module(run.recipe.stage("expert"))) == {}


def test_another_module_is_refused(objective):
    with pytest.raises(TypeError, match="expected an ExpertDetector, got Linear"):
        objective.losses(nn.Linear(1, 1), objective.batch(0))
    with pytest.raises(TypeError, match="expected an ExpertDetector, got Linear"):
        objective.scores(nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("theme", "kinds"),
    [("figures", {"star", "person", "bird", "sign"}), ("scan", {"cell", "lesion"}), ("workpiece", {"missing screw"})],
)
def test_pictures_of_version_two_are_asked_about_what_may_be_in_them(theme, kinds):
    scene = draw_picture(1, version=2, theme=theme, photos=False).scene
    assert kinds <= set(kinds_of(scene))
    assert ("person" in kinds_of(scene)) == (theme == "figures")


@pytest.mark.parametrize("draw", [class_aims, attribute_aims, place_aims])
@pytest.mark.parametrize("theme", ["mixed", "signs", "aerial", "camouflage"])
def test_aims_at_things_of_version_two_hit_what_fits_them(theme, draw):
    for number in range(8):
        picture = draw_picture(number, version=2, theme=theme, photos=False)
        aims, hits = draw(picture, np.random.default_rng(number))
        assert len({aim.phrase for aim in aims}) == len(aims) or draw is place_aims
        for thing, k in hits:
            assert aims[k].phrase.fits(thing)
