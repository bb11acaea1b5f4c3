"""Phrases are shown what fits them."""

import pytest
import torch

from visionllm.config import IMAGE_TOKEN
from visionllm.data.world import draw_picture
from visionllm.data.world.scene import COLOURS
from visionllm.data.world.tasks import make_sample
from visionllm.training.guided_attention import HEAD, GuidedAttention, watched


@pytest.fixture(scope="module")
def guide(run):
    return GuidedAttention(run.processor().vocabulary, 128, 16)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Which of the brown cross and small outlined fish is bigger?", ["brown cross", "small outlined fish"]),
        ("Red stars. Are all crosses dotted?", ["red star", "dotted cross"]),
        ("is it there?", []),
        ("", []),
        (" two orange trees", ["orange tree"]),
    ],
)
def test_runs_of_words_are_phrases(guide, run, text, phrases):
    ids = run.processor().vocabulary.encode(text)
    found = list(guide.phrases(ids))
    assert [phrase.one for _, phrase in found] == phrases
    assert all(0 <= at < len(ids) for at, _ in found)


def test_a_phrase_looks_at_what_fits_and_at_the_first_token(guide, run):
    processor = run.processor()
    patch = processor.vocabulary.token_id(IMAGE_TOKEN)
    for seed in range(8):
        picture = draw_picture(seed, split="train", photos=False)
        sample = make_sample(picture, "count", seed)
        if sample is None:
            continue
        ids = processor.train_batch([[sample]], multiple=32).inputs.input_ids
        assert ids.shape[1] % 32 == 0
        places, looks, words = guide.targets(ids, patch, [picture])
        assert looks.sum(1) == pytest.approx(1)
        found = dict(guide.phrases(ids[0].tolist()))
        for (_, at), look in zip(places.tolist(), looks, strict=True):
            fitting = sum(found[at].fits(thing) for thing in picture.scene.objects)
            assert look[0] >= 1 / (1 + fitting) - 1e-6
            assert all(ids[0, i] == patch for i in look[1:].nonzero()[0] + 1)
        for index, (_, at) in enumerate(places.tolist()):
            alone = found[at].among(picture.scene.objects)
            wanted = COLOURS.index(alone[0].colour) if len(alone) == 1 else -100
            assert words["colour"][index] == wanted


def test_rows_without_a_picture_have_no_phrases(guide):
    places, looks, words = guide.targets(torch.zeros(2, 5, dtype=torch.long), 3, [None, None])
    assert places.shape == (0, 2)
    assert looks.shape == (0, 5)
    assert all(codes.shape == (0,) for codes in words.values())


def test_the_loss_is_zero_where_attention_is_as_wanted():
    looks = torch.tensor([[0.5, 0.0, 0.5, 0.0]])
    weights = torch.full((1, 2, 4, 4), 0.25)
    weights[0, HEAD, 3] = looks[0]
    place = torch.tensor([[0, 3]])
    assert float(GuidedAttention.loss(weights, place, looks)) == pytest.approx(0, abs=1e-5)
    weights[0, HEAD, 3] = torch.tensor([0.25, 0.25, 0.25, 0.25])
    assert float(GuidedAttention.loss(weights, place, looks)) == pytest.approx(torch.log(torch.tensor(2.0)).item())


def test_the_guided_layer_is_watched_only_inside(run):
    model = run.module(run.recipe.stage("language")).model
    ids = torch.tensor([[1, 2, 3]])
    with watched(model.language_model) as seen:
        model(ids)
    model(ids)
    ((weights, states),) = seen
    assert weights.shape == (1, 2, 3, 3)
    assert states.shape == (1, 3, 32)
