import pytest
import torch

from visionllm.ops.matching import assign, box_costs, class_cost


def test_a_sure_hit_is_cheap_and_a_sure_miss_is_dear():
    cost = class_cost(torch.tensor([[10.0, -10.0]]), torch.tensor([0, 1]))
    assert cost[0, 0] < -5
    assert cost[0, 1] > 2


def test_a_masked_class_has_a_finite_cost():
    assert class_cost(torch.tensor([[-torch.inf]]), torch.tensor([0])).isfinite().all()


def test_class_costs_of_a_batch_are_those_of_its_units():
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[0, 2], [1, 1]])
    together = class_cost(logits, ids)
    for unit in range(2):
        torch.testing.assert_close(together[unit], class_cost(logits[unit], ids[unit]))


def test_box_costs_of_the_truth_itself():
    box = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    distance, overlap = box_costs(box, box)
    assert distance.item() == 0
    assert overlap.item() == pytest.approx(-1, abs=1e-5)


def test_box_costs_of_empty_boxes_are_finite():
    empty = torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    assert all(cost.isfinite().all() for cost in box_costs(empty, empty))


@pytest.mark.parametrize(
    ("cost", "rows", "columns"),
    [
        pytest.param([[1.0, 2.0], [0.0, 9.0]], [0, 1], [1, 0], id="global-best"),
        pytest.param([[5.0], [1.0], [3.0]], [1], [0], id="more-predictions"),
        pytest.param([[5.0, 1.0, 3.0]], [0], [1], id="more-truths"),
    ],
)
def test_assignments(cost, rows, columns):
    found = assign(torch.tensor(cost))
    assert [f.tolist() for f in found] == [rows, columns]


def test_no_truths_have_no_assignment():
    rows, columns = assign(torch.zeros(4, 0))
    assert len(rows) == len(columns) == 0
