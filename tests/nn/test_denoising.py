import pytest
import torch

from visionllm.nn.denoising import NoisyQueries, NoisySettings, noisy_queries
from visionllm.ops.boxes import to_corners
from visionllm.ops.draws import Draws

TEXT = torch.arange(2 * 4 * 3, dtype=torch.float32).view(2, 4, 3)
MASK = torch.tensor([[True, True, True, True], [True, False, True, False]])
BOXES = [torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.3, 0.6, 0.1, 0.3]]), torch.tensor([[0.4, 0.4, 0.4, 0.2]])]
CLASSES = [torch.tensor([1, 3]), torch.tensor([2])]


def make(seed: int = 0, **settings) -> NoisyQueries:
    draws = Draws(torch.Generator().manual_seed(seed))
    made = noisy_queries(TEXT, MASK, BOXES, CLASSES, NoisySettings(**settings), draws)
    assert made is not None
    return made


@pytest.mark.parametrize(("queries", "groups"), [(1, 1), (4, 2), (7, 3)])
def test_groups_share_the_queries(queries, groups):
    made = make(queries=queries)
    assert made.groups == groups
    assert made.content.shape == (2, groups * 2 * 2, 3)


def test_without_label_noise_content_is_the_truths_group():
    made = make(queries=4, label_noise=0.0)
    assert torch.equal(made.content[0, :4], TEXT[0, [1, 3, 1, 3]])
    assert torch.equal(made.content[1, 0], TEXT[1, 2])
    assert made.content[1, 1].abs().sum() == 0


def test_positives_stay_near_and_negatives_do_not():
    made = make(queries=200)
    shifted = to_corners(made.boxes[0].sigmoid()).view(100, 2, 2, 4)
    truth = to_corners(BOXES[0])
    inside = BOXES[0][:, 2:].repeat(1, 2) / 2
    moved = (shifted - truth).abs() / inside
    assert moved[:, 0].max() <= 1 + 1e-3
    assert moved[:, 1].median() > 1


def test_flipped_labels_are_real_groups():
    made = make(queries=400, label_noise=2.0)
    padded = TEXT[1, [1, 3]]
    content = made.content[1, ::2]
    assert not (content[:, None] == padded).all(-1).any()
    assert {tuple(c) for c in content.tolist()} == {tuple(c) for c in TEXT[1, [0, 2]].tolist()}


def test_the_published_flip_may_hit_padding():
    made = make(queries=400, label_noise=2.0, flip_to_padding=True)
    padded = TEXT[1, [1, 3]]
    assert (made.content[1, ::2, None] == padded).all(-1).any()


def test_queries_see_their_own_group_and_all_object_queries():
    visible = make(queries=4).visible(3)
    group = torch.tensor([0] * 4 + [1] * 4 + [2] * 3)
    expected = (group[:, None] == group[None]) | (group == 2)[None]
    assert torch.equal(visible, expected)


def test_each_positive_knows_its_truth():
    units, queries, truths = make(queries=4).pairs()
    assert units.tolist() == [0, 0, 0, 0, 1, 1]
    assert queries.tolist() == [0, 1, 4, 5, 0, 4]
    assert truths.tolist() == [0, 1, 0, 1, 2, 2]


def test_a_unit_without_truth_has_empty_queries():
    boxes, classes = [BOXES[0], BOXES[1][:0]], [CLASSES[0], CLASSES[1][:0]]
    made = noisy_queries(TEXT, MASK, boxes, classes, NoisySettings(queries=2), Draws())
    assert made is not None
    assert made.content[1].abs().sum() == 0
    assert made.pairs()[0].tolist() == [0, 0]


def test_no_truth_makes_no_queries():
    nothing = [b[:0] for b in BOXES], [c[:0] for c in CLASSES]
    assert noisy_queries(TEXT, MASK, *nothing, NoisySettings(), Draws()) is None


def test_boxes_stay_inside_the_picture():
    made = make(queries=100, box_noise=5.0)
    corners = to_corners(made.boxes.sigmoid())
    assert corners.min() >= -1e-4
    assert corners.max() <= 1 + 1e-4
