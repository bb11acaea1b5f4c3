import pytest
import torch

from visionllm.decoders.base.checks import check_finite, check_pictures, check_target_count
from visionllm.types.tensors import ImageBatch


@pytest.mark.parametrize("index", [[-1], [1, 2]])
def test_a_picture_that_is_not_there_is_refused(index: list[int]):
    images = ImageBatch.empty()
    two = ImageBatch(
        pixel_values=torch.zeros(2, *images.pixel_values.shape[1:]),
        pixel_mask=torch.zeros(2, *images.pixel_mask.shape[1:]),
        sizes_hw=torch.zeros(2, 2),
        resized_hw=torch.zeros(2, 2),
    )
    with pytest.raises(ValueError, match=r"expected picture indices in 0\.\.1, got"):
        check_pictures(torch.tensor(index), two)
    check_pictures(torch.tensor([0, 1, 1]), two)


def test_no_unit_needs_no_picture():
    check_pictures(torch.zeros(0, dtype=torch.long), ImageBatch.empty())


def test_targets_are_counted():
    check_target_count([1, 2], 2)
    with pytest.raises(ValueError, match="expected 2 targets, one per unit, got 1"):
        check_target_count([1], 2)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(broken: float):
    with pytest.raises(FloatingPointError, match="expected boxes that are numbers, got NaN or infinity"):
        check_finite("boxes", torch.ones(2), torch.tensor([0.0, broken]))


def test_masked_logits_and_nothing_are_numbers():
    check_finite("logits", torch.tensor([-torch.inf, 0.0]), torch.ones(0))
