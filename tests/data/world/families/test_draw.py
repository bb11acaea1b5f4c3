"""Prompts say what the picture of the truth shows."""

import numpy as np
import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.judging import read_wish
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.types import PictureTruth, Routed, Sample

PICTURES = [draw_picture(seed, split="test", version=2, theme="studio") for seed in range(50)]
DRAWS = [name for name, family in families_of(2).items() if family.group == "draw"]


def truths(family: str) -> list[tuple[WorldPicture, Sample, PictureTruth]]:
    found = []
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, family, seed)
        if sample:
            truth = sample.truth["generation"]
            assert isinstance(truth, PictureTruth)
            found.append((picture, sample, truth))
    return found


@pytest.mark.parametrize("family", DRAWS)
def test_the_words_of_the_question_are_the_caption(family: str):
    made = truths(family)
    assert len(made) >= 8
    for _, sample, truth in made:
        assert truth.caption in sample.request.messages[0].text.lower()
        assert sample.answer.parts[1] == Routed("", "[GEN]")
        assert sample.request.pictures == ()
        assert truth.changed is None


@pytest.mark.parametrize("family", DRAWS)
def test_the_picture_is_cut_down_to_what_the_caption_says(family: str):
    for picture, _, truth in truths(family):
        number = sum(item.count for item in read_wish(truth.caption).wanted)
        same = (truth.pixels == picture.pixels).all()
        assert same == (number == len(picture.scene.things))


def test_counts_are_of_one_sort():
    for _, _, truth in truths("draw-count"):
        (item,) = read_wish(truth.caption).wanted
        assert item.count >= 2


def test_relations_hold_between_two_things():
    assert all(read_wish(truth.caption).relation for _, _, truth in truths("draw-relation"))


def test_figures_are_drawn_with_their_colour():
    for picture, _, truth in truths("draw-figures"):
        kinds = {item.phrase.kind for item in read_wish(truth.caption).wanted}
        assert kinds & {figure.kind for figure in picture.scene.figures}


def test_pictures_of_other_themes_offer_no_prompt():
    picture = draw_picture(1, split="test", version=2)
    assert all(make_sample(picture, family, 0) is None for family in DRAWS)
    assert np.array(PICTURES[0].pixels).dtype == np.uint8
