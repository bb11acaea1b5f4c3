import torch

from visionllm.nn.mapper import QueryMapper


def mapper() -> QueryMapper:
    return QueryMapper(query_width=8, width=16, tokens=5, encoder_layers=2, decoder_layers=1, heads=4, ffn=12).eval()


def test_any_number_of_slots_gives_the_same_number_of_states():
    made = mapper()
    for slots in (1, 4, 64):
        assert made(torch.randn(3, slots, 8)).shape == (3, 5, 16)


def test_no_groups_give_no_states():
    assert mapper()(torch.zeros(0, 4, 8)).shape == (0, 5, 16)


def test_a_batch_gives_the_states_of_its_singles():
    made, slots = mapper(), torch.randn(3, 4, 8)
    with torch.no_grad():
        torch.testing.assert_close(made(slots), torch.cat([made(one[None]) for one in slots]))


def test_every_parameter_learns():
    made = mapper().train()
    made(torch.randn(2, 4, 8)).square().sum().backward()
    assert [name for name, p in made.named_parameters() if p.grad is None] == []


def test_it_is_built_without_a_warning(recwarn):
    mapper()
    assert not recwarn.list
