"""Picture tokens are asked for words of what they show."""

import numpy as np
import pytest
import torch

from visionllm.data.world import draw_picture
from visionllm.data.world.scene import COLOURS, KINDS
from visionllm.training.picture_cells import anchored, owner_map
from visionllm.training.picture_words import PictureWords


@pytest.fixture(scope="module")
def words(run):
    return PictureWords(run.processor().vocabulary, 128, 16)


def pictures():
    return [draw_picture(seed, split="train", photos=False) for seed in range(6)]


def test_tokens_name_the_object_they_show(words):
    for picture in pictures():
        found = words.targets(picture)
        cells, anchors = anchored(owner_map(picture, 128), len(picture.scene.objects), 16)
        for owner, kind, colour in zip(cells.ravel(), found["kind"], found["colour"], strict=True):
            if owner > 0:
                thing = picture.scene.objects[owner - 1]
                assert (KINDS[kind], COLOURS[colour]) == (thing.kind, thing.colour)
            else:
                assert kind == colour == (-1 if owner == 0 else -100)
        assert np.flatnonzero(found["thing"] == 0).tolist() == sorted(set(anchors.tolist()) - {-1})


def test_tokens_that_say_the_right_words_lose_less(words, run):
    module = run.module(run.recipe.stage("language"))
    model, vocabulary = module.model, run.processor().vocabulary
    table = model.get_input_embeddings().weight.detach()
    picture = pictures()[0]
    targets = {n: torch.from_numpy(t)[None] for n, t in words.targets(picture).items()}
    right = torch.zeros(1, 64, table.shape[1])
    for place, kind in enumerate(targets["kind"][0].tolist()):
        if kind >= 0:
            right[0, place] = table[vocabulary.encode(f" {KINDS[kind]}")[0]] * 10
    wrong = right.roll(7, dims=1)
    assert words.loss(model, right, targets) < words.loss(model, wrong, targets)


def test_a_picture_without_objects_has_a_finite_loss(words, run):
    model = run.module(run.recipe.stage("language")).model
    nothing = {n: torch.full((1, 64), -1) for n in ("kind", "colour", "fill", "size", "thing")}
    assert torch.isfinite(words.loss(model, torch.randn(1, 64, 32), nothing))


def test_a_word_of_several_tokens_is_left_out(words, run):
    vocabulary = run.processor().vocabulary
    for name, ids, places in words.tables:
        assert len(ids) == int((places > 0).sum())
        if name == "kind" and len(places) == len(KINDS):
            single = [len(vocabulary.encode(f" {k}")) == 1 for k in KINDS]
            plural = [len(vocabulary.encode(f" {k}s")) == 1 for k in KINDS]
            assert (places > 0).tolist() in (single, plural)
