import pytest
import torch

from tests.tiny import DET, DET_SLOTS, POSE_SLOTS, ROUTES, VOCABULARY, tiny_config
from visionllm.super_link import SuperLink
from visionllm.types import Route


@pytest.fixture
def link() -> SuperLink:
    return SuperLink(tiny_config())


@pytest.fixture
def vocabulary() -> torch.nn.Embedding:
    return torch.nn.Embedding(VOCABULARY, 32)


def test_text_is_looked_up_in_the_vocabulary_and_slots_in_their_tables(link: SuperLink, vocabulary: torch.nn.Embedding):
    ids = torch.tensor([[5, DET, *DET_SLOTS, 6], [POSE_SLOTS[0], POSE_SLOTS[3], 0, 1, 2, 3, 4]])
    embeds = link.embed(ids, vocabulary)
    assert torch.equal(embeds[0, [0, 1, 6]], vocabulary.weight[[5, DET, 6]])
    assert torch.equal(embeds[0, 2:6], link.tables["det"].get_parameter("weight"))
    assert torch.equal(embeds[1, :2], link.tables["pose"].get_parameter("weight")[[0, 3]])


def test_only_the_looked_up_rows_learn(link: SuperLink, vocabulary: torch.nn.Embedding):
    link.embed(torch.tensor([[5, DET_SLOTS[2]]]), vocabulary).sum().backward()
    assert vocabulary.weight.grad is not None
    assert vocabulary.weight.grad.abs().sum(-1).nonzero().flatten().tolist() == [5]
    learned = link.tables["det"].get_parameter("weight").grad
    assert learned is not None
    assert learned.abs().sum(-1).nonzero().flatten().tolist() == [2]


def test_an_empty_batch_has_empty_embeddings(link: SuperLink, vocabulary: torch.nn.Embedding):
    assert link.embed(torch.zeros(0, 3, dtype=torch.long), vocabulary).shape == (0, 3, 32)


def test_a_model_without_tables_is_a_plain_language_model(vocabulary: torch.nn.Embedding):
    link = SuperLink(tiny_config(tables={}, routes=(), decoders={}))
    assert torch.equal(link.embed(torch.tensor([[1, 2]]), vocabulary), vocabulary.weight[None, 1:3])
    assert link.pad_logits(torch.zeros(1, VOCABULARY)).shape == (1, VOCABULARY)


def test_slots_have_logits_of_minus_infinity(link: SuperLink):
    logits = link.pad_logits(torch.ones(2, 3, VOCABULARY))
    assert logits.shape == (2, 3, VOCABULARY + 8)
    assert bool((logits[..., :VOCABULARY] == 1).all())
    assert bool((logits[..., VOCABULARY:] == float("-inf")).all())


def test_tables_of_one_decoder_must_have_one_number_of_slots():
    routes = [*ROUTES[:1], Route(token="[GRD]", table="pose", decoder="detection")]
    with pytest.raises(ValueError, match="one number of slots for decoder 'detection', got"):
        SuperLink(tiny_config(tables={"det": 4, "pose": 2}, routes=routes))
