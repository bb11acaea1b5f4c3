"""Edits change what they name, and nothing else."""

import numpy as np
import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.families.edit import TONES, EditedTruth, tone_shade
from visionllm.data.world.judging import edit_done, perceive, psnr_outside
from visionllm.data.world.scene import COLOURS, WorldPicture
from visionllm.data.world.splits import picture_dice
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.types import Routed, Sample

PICTURES = [draw_picture(seed, split="test", version=2, theme="studio") for seed in range(40)]
EDITS = [name for name, family in families_of(2).items() if family.group == "edit"]


def truths(family: str) -> list[tuple[WorldPicture, Sample, EditedTruth]]:
    found = []
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, family, seed)
        if sample and sample.truth:
            truth = sample.truth["editing"]
            assert isinstance(truth, EditedTruth)
            found.append((picture, sample, truth))
    return found


@pytest.mark.parametrize("family", EDITS)
def test_pixels_outside_the_mask_stay(family: str):
    made = truths(family)
    assert len(made) >= 6
    for picture, sample, truth in made:
        assert truth.changed is not None
        assert (truth.pixels[~truth.changed] == picture.pixels[~truth.changed]).all()
        assert (truth.pixels != picture.pixels).any()
        assert sample.answer.parts[1] == Routed("", "[EDIT]")
        assert len(sample.request.pictures) == 1
        if not truth.changed.all():
            assert psnr_outside(picture.pixels, truth.pixels, truth.changed) == 100


@pytest.mark.parametrize("family", [name for name in EDITS if name != "edit-background"])
def test_most_of_the_picture_may_not_change(family: str):
    shares = [float(truth.changed.mean()) for _, _, truth in truths(family) if truth.changed is not None]
    assert max(shares) < 0.6
    assert sum(shares) / len(shares) < 0.3


@pytest.mark.parametrize("family", EDITS)
def test_the_judge_tells_the_edit_from_the_picture_before(family: str):
    for picture, _, truth in truths(family)[:5]:
        assert edit_done(truth.pixels, picture.pixels, truth.pixels, truth.things)
        assert not edit_done(picture.pixels, picture.pixels, truth.pixels, truth.things)


@pytest.mark.parametrize(
    ("family", "more"), [("edit-remove", -1), ("edit-add", 1), ("edit-recolour", 0), ("edit-move", 0)]
)
def test_the_number_of_things_is_as_the_words_say(family: str, more: int):
    for picture, _, truth in truths(family)[:6]:
        assert len(perceive(truth.pixels)) == len(picture.scene.things) + more


def test_a_new_colour_is_named():
    for _, sample, truth in truths("edit-recolour"):
        assert any(colour in sample.request.messages[0].text for colour in COLOURS)
        assert truth.caption == sample.request.messages[0].text


@pytest.mark.parametrize("family", ["edit-recolour", "edit-remove", "edit-replace", "edit-move", "edit-fill"])
def test_what_is_not_there_cannot_be_changed(family: str):
    refused = [
        sample
        for number in range(4)
        for seed, picture in enumerate(PICTURES)
        if (sample := make_sample(picture, family, 100 * number + seed)) and not sample.truth
    ]
    assert refused
    assert all(sample.answer.text.startswith("There is no ") for sample in refused)


def test_tones_are_as_pale_as_grounds():
    dice = picture_dice(0, "test")
    for tone in TONES:
        assert min(tone_shade(dice, tone)) > 160


def test_only_one_of_several_is_changed():
    for picture, sample, truth in truths("edit-only-one"):
        words = sample.request.messages[0].text.lower()
        assert any(word in words for word in ("left", "right", "top", "bottom", "lowest"))
        changed = [
            t
            for t in picture.scene.objects
            if (truth.pixels[t.mask] != picture.pixels[t.mask]).any(axis=-1).mean() > 0.2
        ]
        assert len(changed) == 1


def test_pictures_of_other_themes_offer_no_edit():
    picture = draw_picture(1, split="test", version=2)
    assert all(make_sample(picture, family, 0) is None for family in EDITS)
    assert np.asarray(PICTURES[0].pixels).shape[2] == 3
