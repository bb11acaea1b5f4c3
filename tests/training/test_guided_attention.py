"""Phrases are shown what fits them."""

import pytest
import torch

from visionllm.config import IMAGE_TOKEN
from visionllm.data.world import draw_picture
from visionllm.data.world.scene import COLOURS
from visionllm.data.world.tasks import make_sample
from visionllm.training.guided_attention import HEAD, GuidedAttention, LookTargets, watched
from visionllm.training.readings import READINGS


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
    assert [phrase.one for _, _, phrase in found] == phrases
    assert all(0 <= first <= last < len(ids) for first, last, _ in found)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Find all people and the black dog.", [{"kind": "person"}, {"colour": "black", "kind": "dog"}]),
        ("Detect every missing screw.", [{"kind": "missing screw"}]),
        ('The red sign says "Tea Shop".', [{"colour": "red", "kind": "sign"}, {"text": "tea shop"}]),
        ("Where is the sign that says fish?", [{"kind": "sign"}, {"text": "fish"}]),
        ("Where are the fish?", [{"kind": "fish"}]),
    ],
)
def test_phrases_of_version_two_name_figures_signs_and_finds(run, text, phrases):
    vocabulary = run.processor().vocabulary
    guide = GuidedAttention(vocabulary, 128, 16, READINGS[2])
    ids = vocabulary.encode(text)
    found = list(guide.phrases(ids))
    plain = [
        {name: value for name, value in vars(phrase).items() if value and name != "noun"} for _, _, phrase in found
    ]
    assert plain == phrases
    for first, last, phrase in found:
        said = vocabulary.decode(ids[first : last + 1]).lower()
        assert (vars(phrase).get("text") or phrase.kind or "").removesuffix("person") in said


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
        looks = guide.targets(ids, patch, [picture]).tensors()
        assert looks.weights.sum(1).numpy() == pytest.approx(1)
        found = {last: phrase for _, last, phrase in guide.phrases(ids[0].tolist())}
        for index, (_, at) in enumerate(looks.places.tolist()):
            look, fitting = looks.weights[index], found[at].among(picture.scene.objects)
            assert look[0] >= 1 / (1 + len(fitting)) - 1e-6
            assert all(ids[0, i] == patch for i in look[1:].nonzero()[:, 0] + 1)
            assert looks.meant["colour"][index] == (COLOURS.index(fitting[0].colour) if len(fitting) == 1 else -100)


def test_rows_without_a_picture_have_no_phrases(guide):
    looks = guide.targets(torch.zeros(2, 5, dtype=torch.long), 3, [None, None]).tensors()
    assert looks.places.shape == (0, 2)
    assert looks.weights.shape == (0, 5)
    assert all(codes.shape == (0,) for codes in looks.meant.values())


def test_the_loss_is_zero_where_attention_is_as_wanted():
    weights = torch.tensor([[0.5, 0.0, 0.5, 0.0]])
    looks = LookTargets(places=torch.tensor([[0, 3]]), weights=weights, meant={})
    attention = torch.full((1, 2, 4, 4), 0.25)
    attention[0, HEAD, 3] = weights[0]
    assert float(looks.loss(attention)) == pytest.approx(0, abs=1e-5)
    attention[0, HEAD, 3] = torch.tensor([0.25, 0.25, 0.25, 0.25])
    assert float(looks.loss(attention)) == pytest.approx(torch.log(torch.tensor(2.0)).item())


def test_the_states_of_its_tokens_are_read():
    looks = LookTargets(places=torch.tensor([[1, 2], [0, 0]]), weights=torch.zeros(2, 3), meant={})
    states = torch.arange(12.0).reshape(2, 3, 2)
    assert torch.equal(looks.read(states), torch.stack([states[1, 2], states[0, 0]]))


def test_the_guided_layer_is_watched_only_inside(run):
    model = run.module(run.recipe.stage("language")).model.eval()
    ids, turns = torch.tensor([[1, 2, 3]]), torch.tensor([[0, 1, 2]])
    with watched(model.language_model) as seen, watched(model.language_model, -1) as last:
        read = model(ids, turn_ids=turns, packed=True)
    again = model(ids, turn_ids=turns, packed=True)
    ((weights, states),) = seen
    assert torch.equal(last[0][1], states)  # it is the last of three
    assert weights.shape == (1, 2, 3, 3)
    assert weights[0, :, 2, 1].abs().max() == 0  # the turns don't see each other
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    assert states.shape == (1, 3, 32)
    assert torch.allclose(read.logits, again.logits, atol=1e-5)  # all kinds of attention are alike


def test_only_packed_rows_are_watched(run):
    model = run.module(run.recipe.stage("language")).model
    with watched(model.language_model), pytest.raises(ValueError, match="expected packed rows"):
        model(torch.tensor([[1, 2, 3]]))
