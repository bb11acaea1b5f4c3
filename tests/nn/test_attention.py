import pytest
import torch

from visionllm.nn.attention import Attention, DeformableAttention, MutualAttention


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_attention_is_that_of_torch():
    ours, theirs = Attention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    packed = [ours.query, ours.key, ours.value]
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([p.weight for p in packed]),
            "in_proj_bias": torch.cat([p.bias for p in packed]),
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )
    query, key, value = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    hidden = torch.tensor([[False] * 5, [False, True, False, True, True]])
    expected = theirs(query, key, value, key_padding_mask=hidden)[0]
    torch.testing.assert_close(ours(query, key, value, ~hidden[:, None, None]), expected, atol=1e-5, rtol=1e-4)


def test_hidden_keys_do_not_matter():
    net = Attention(8, 2)
    query, key = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    visible = torch.tensor([True, True, False, False])[None, None, None]
    other = torch.cat([key[:, :2], torch.randn(1, 2, 8)], 1)
    torch.testing.assert_close(net(query, key, key, visible), net(query, other, other, visible))


def test_dropout_acts_in_training_only():
    net = Attention(8, 2, dropout=0.9)
    x = torch.randn(1, 6, 8)
    assert torch.equal(net.eval()(x, x, x), net(x, x, x))
    assert not torch.allclose(net.train()(x, x, x), net(x, x, x))


def test_mutual_attention_shares_its_logits():
    net = MutualAttention(8, 12, 3)
    vision, text = torch.randn(1, 5, 8), torch.randn(1, 2, 8)
    everything = torch.ones(1, 5, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    to_vision, to_text = net(vision, text, *everything)
    q = net.vision_query(vision).unflatten(-1, (3, 4)).transpose(1, 2)
    k = net.text_query(text).unflatten(-1, (3, 4)).transpose(1, 2)
    logits = q @ k.transpose(2, 3) / 2
    text_values = net.text_value(text).unflatten(-1, (3, 4)).transpose(1, 2)
    vision_values = net.vision_value(vision).unflatten(-1, (3, 4)).transpose(1, 2)
    expected = (logits.softmax(-1) @ text_values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(to_vision, net.vision_output(expected), atol=1e-5, rtol=1e-4)
    expected = (logits.transpose(2, 3).softmax(-1) @ vision_values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(to_text, net.text_output(expected), atol=1e-5, rtol=1e-4)


def test_mutual_attention_of_a_ragged_batch_is_that_of_its_singles():
    net = MutualAttention(8, 8, 2)
    vision, text = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    vision_mask = torch.tensor([[True] * 5, [True] * 4 + [False]])
    text_mask = torch.tensor([[True] * 3, [True, False, False]])
    to_vision, to_text = net(vision, text, vision_mask, text_mask)
    alone = net(vision[1:, :4], text[1:, :1], vision_mask[1:, :4], text_mask[1:, :1])
    torch.testing.assert_close(to_vision[1:, :4], alone[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(to_text[1:, :1], alone[1], atol=1e-5, rtol=1e-4)


def test_points_start_as_a_star():
    net = DeformableAttention(16, heads=4, levels=2, points=3)
    offsets = net.offsets.bias.view(4, 2, 3, 2)
    torch.testing.assert_close(offsets[0, 0], torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]))
    torch.testing.assert_close(offsets[1, 1, 2], torch.tensor([0.0, 3.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("references", [2, 4])
def test_masked_cells_count_as_nothing(references):
    net = DeformableAttention(16, heads=4, levels=2, points=2)
    shapes = [(4, 6), (2, 3)]
    memory, query = torch.randn(1, 30, 16), torch.randn(1, 5, 16)
    places = torch.rand(1, 5, 2, references)
    mask = torch.arange(30)[None] % 3 != 0
    expected = net(query, places, memory, mask, shapes)
    poisoned = memory.masked_fill(~mask.unsqueeze(-1), 1e3)
    torch.testing.assert_close(net(query, places, poisoned, mask, shapes), expected)


def test_a_box_reaches_as_far_as_its_size():
    net = DeformableAttention(8, heads=1, levels=1, points=1)
    memory = torch.zeros(1, 8, 8)
    memory[0, 6] = 1.0
    mask = torch.ones(1, 8, dtype=torch.bool)
    torch.nn.init.eye_(net.value.weight)
    torch.nn.init.zeros_(net.value.bias)
    torch.nn.init.eye_(net.output.weight)
    torch.nn.init.zeros_(net.output.bias)
    # the only point lies half a width to the right of the centre: at 0.5 + 0.5 * 0.625 = 6.5 cells
    box = torch.tensor([0.5, 0.5, 0.625, 0.2]).view(1, 1, 1, 4)
    torch.testing.assert_close(net(torch.zeros(1, 1, 8), box, memory, mask, [(1, 8)]), torch.ones(1, 1, 8))
