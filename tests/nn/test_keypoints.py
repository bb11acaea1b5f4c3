import pytest
import torch

from visionllm.nn.decoder import DecoderSizes, Memory
from visionllm.nn.keypoints import KeypointDecoder, KeypointStage, group_visibility

SIZES = DecoderSizes(layers=3, width=32, levels=1, points=2, heads=2, ffn=32, eps=1e-3)


def memory() -> Memory:
    generator = torch.Generator().manual_seed(1)
    return Memory(
        vision=torch.randn(2, 12, 32, generator=generator),
        mask=torch.ones(2, 12, dtype=torch.bool),
        shapes=[(3, 4)],
        real_share=torch.ones(2, 1, 2),
        finest_share=torch.ones(2, 2),
        text=torch.randn(2, 3, 32, generator=generator),
        text_mask=torch.ones(2, 3, dtype=torch.bool),
    )


def decoder(**changes: bool) -> KeypointDecoder:
    torch.manual_seed(0)
    built = KeypointDecoder(SIZES, box_layers=1, keypoints=5, **changes)
    for parameter in built.parameters():
        if parameter.abs().max() < 1e-3:
            torch.nn.init.normal_(parameter, std=0.2)
    return built.eval()


def first_two(states: torch.Tensor) -> torch.Tensor:
    return torch.tensor([0, 1]).expand(len(states), 2)


def run(model: KeypointDecoder, mask: torch.Tensor, *, noisy: int = 0) -> list[KeypointStage]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, noisy + 4, 32, generator=generator)
    boxes = 0.3 + 0.4 * torch.rand(2, noisy + 4, 4, generator=generator)
    content = torch.randn(2, 5, 32, generator=generator)[:, : mask.shape[1]] * mask[:, :, None]

    def visible(others: int) -> torch.Tensor:
        seen = torch.ones(noisy + others, noisy + others, dtype=torch.bool)
        seen[noisy:, :noisy] = False
        return seen

    groups = group_visibility(mask, 2)
    return model(x, boxes, content, memory(), first_two, groups, visible if noisy else None, noisy)


def test_a_group_sees_itself_and_no_other():
    seen = group_visibility(torch.tensor([[True, True, False]]), 3)[0, 0]
    real = [True, True, True, False]
    for a in range(12):
        for b in range(12):
            assert seen[a, b] == (a // 4 == b // 4 and real[a % 4] == real[b % 4])


def test_the_published_fault_adds_pairs_and_takes_none():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    right, wrong = group_visibility(mask, 4), group_visibility(mask, 4, leak=True)
    assert (wrong | ~right).all()
    assert wrong[0, 0, 4, 3], "the first row of group 1 sees the last query of group 0"
    assert wrong[:, 0, 12:, :12].all(), "the last rows see all other groups"
    assert not right[0, 0, 4, 3]


def test_box_layers_come_first_and_then_every_layer_has_keypoints():
    stages = run(decoder(), torch.ones(2, 3, dtype=torch.bool))
    assert [s.keypoints is None for s in stages] == [True, False, False]
    assert [tuple(s.boxes.shape) for s in stages] == [(2, 4, 4), (2, 2, 4), (2, 2, 4)]
    last = stages[-1].keypoints
    assert last is not None
    assert last.shape == (2, 2, 3, 2)
    assert ((last > 0) & (last < 1)).all()


def test_padded_keypoints_change_nothing():
    model = decoder()
    tight = run(model, torch.ones(2, 3, dtype=torch.bool))
    wide = run(model, torch.tensor([[True, True, True, False, False]] * 2))
    for a, b in zip(tight, wide, strict=True):
        torch.testing.assert_close(a.boxes, b.boxes, atol=1e-5, rtol=1e-5)
        if a.keypoints is not None and b.keypoints is not None:
            torch.testing.assert_close(a.keypoints, b.keypoints[:, :, :3], atol=1e-5, rtol=1e-5)


def test_denoising_queries_change_no_object():
    model = decoder()
    mask = torch.ones(2, 3, dtype=torch.bool)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 7, 32, generator=generator)
    boxes = 0.3 + 0.4 * torch.rand(2, 7, 4, generator=generator)
    content = torch.randn(2, 3, 32, generator=generator)
    groups = group_visibility(mask, 2)

    def visible(others: int) -> torch.Tensor:
        seen = torch.ones(3 + others, 3 + others, dtype=torch.bool)
        seen[3:, :3] = False
        return seen

    alone = model(x[:, 3:], boxes[:, 3:], content, memory(), first_two, groups)[-1]
    beside = model(x, boxes, content, memory(), first_two, groups, visible, 3)[-1]
    assert beside.boxes.shape == (2, 5, 4)
    torch.testing.assert_close(beside.boxes[:, 3:], alone.boxes, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(beside.keypoints, alone.keypoints, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("learn", [True, False], ids=["ours", "published"])
def test_the_sizes_around_keypoints_learn_unless_the_published_fault_is_on(learn):
    model = decoder(learn_extents=learn)
    last = run(model, torch.ones(2, 3, dtype=torch.bool))[-1].keypoints
    assert last is not None
    last.sum().backward()
    assert (model.extents.grad is not None and model.extents.grad.abs().sum() > 0) == learn
    assert model.keypoint_head.layers[0].weight.grad is not None
