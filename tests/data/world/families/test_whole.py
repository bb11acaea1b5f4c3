"""Masks of whole sorts: semantic maps, the salient and the hidden thing."""

import numpy as np

from tests.data.world.scenes import desk_for
from visionllm.data.world import draw_picture
from visionllm.data.world.families.whole import saliency_of
from visionllm.data.world.tasks import make_sample
from visionllm.types import Routed

PICTURES = [draw_picture(seed, split="test", version=2) for seed in range(30)]
HIDING = [draw_picture(seed, split="test", version=2, theme="camouflage") for seed in range(40)]


def test_a_semantic_map_joins_all_things_of_a_kind():
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "segment-semantic", seed)
        if sample is None:
            continue
        truth = sample.detection
        assert truth is not None
        assert truth.masks is not None
        spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
        assert {span.token for span in spans} == {"[SEG]"}
        for span, mask in zip(spans, truth.masks, strict=True):
            same = [thing.mask for thing in picture.scene.things if thing.kind == span.text]
            assert (mask == np.any(same, axis=0)).all()
        assert {span.text for span in spans} == {thing.kind for thing in picture.scene.things}


def test_the_salient_thing_leads_by_area_and_contrast():
    asked = 0
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "segment-salient", seed)
        ranked = saliency_of(desk_for(picture))
        if sample and sample.detection:
            asked += 1
            assert sample.detection.boxes[0].tolist() == list(ranked[0][1].box)
            assert len(ranked) == 1 or ranked[0][0] > ranked[1][0]
    assert asked > 12


def test_hidden_things_are_near_the_ground_in_colour():
    shown = 0
    for picture in HIDING:
        for thing in picture.scene.objects:
            shown += 1
            inside = picture.pixels[thing.mask].mean(axis=0)
            outside = picture.pixels[~thing.mask].mean(axis=0)
            assert 4 < np.abs(inside - outside).max() < 75
    assert 30 <= shown < 40


def test_where_nothing_hides_nothing_is_found():
    for seed, picture in enumerate(HIDING):
        sample = make_sample(picture, "segment-camouflaged", seed)
        assert sample
        assert (sample.detection is None) == (not picture.scene.objects)


def test_only_pictures_of_that_theme_are_asked_for_what_hides():
    assert make_sample(PICTURES[0], "segment-camouflaged", 0) is None
