import torch

from tests.nn.test_pyramid import images, pyramid
from visionllm.nn.proposals import ProposalHead, best_tokens


def test_priors_are_centred_on_their_cells_and_grow_by_level():
    built = pyramid(images((64, 96)), levels=3)
    proposals = ProposalHead(32)(built.tokens, built)
    boxes = proposals.boxes.sigmoid()[0]
    torch.testing.assert_close(boxes[0], torch.tensor([0.5 / 12, 0.5 / 8, 0.05, 0.05]))
    torch.testing.assert_close(boxes[-1], torch.tensor([2.5 / 3, 1.5 / 2, 0.2, 0.2]))
    assert proposals.usable.all()


def test_padded_tokens_are_not_usable():
    built = pyramid(images((64, 96), (32, 64)), levels=2)
    usable = ProposalHead(32)(built.tokens, built).usable
    assert torch.equal(usable, built.mask)


def test_tokens_too_near_the_border_are_not_usable():
    built = pyramid(images((64, 576), canvas=(64, 576)), levels=1 + 1)
    usable = ProposalHead(32)(built.tokens, built).usable[0, : 8 * 72].view(8, 72)
    assert not usable[:, 0].any()
    assert not usable[:, -1].any()
    assert usable[:, 1:-1].all()


def test_all_boxes_are_finite():
    built = pyramid(images((64, 96), (8, 8)))
    assert ProposalHead(32)(built.tokens, built).boxes.isfinite().all()


def test_the_best_usable_tokens_are_chosen():
    index, real = best_tokens(
        torch.tensor([[0.1, 0.9, 0.5, 0.7], [0.4, 0.3, 0.2, 0.1]]),
        torch.tensor([[True, False, True, True], [False, False, True, True]]),
        2,
    )
    assert index.tolist() == [[3, 2], [2, 3]]
    assert real.all()


def test_places_without_a_token_are_told():
    index, real = best_tokens(torch.rand(1, 3), torch.tensor([[False, True, False]]), 5)
    assert index.tolist() == [[1, 0, 0, 0, 0]]
    assert real.tolist() == [[True, False, False, False, False]]
