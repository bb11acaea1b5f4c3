"""Tensors that travel together."""

from dataclasses import replace

import pytest
import torch

from visionllm.types.tensors import ImageBatch, ModelInputs


def images(count: int) -> ImageBatch:
    return ImageBatch(
        pixel_values=torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(count, 3, 4, 6),
        pixel_mask=torch.ones(count, 4, 6, dtype=torch.bool),
        sizes_hw=torch.tensor([[8, 12]] * count).reshape(count, 2),
        resized_hw=torch.tensor([[4, 6]] * count).reshape(count, 2),
    )


def test_pictures_are_selected_in_order_and_more_than_once():
    chosen = images(3).select(torch.tensor([2, 0, 2]))
    assert len(chosen) == 3
    assert chosen.pixel_values[:, 0, 0, 0].tolist() == [2, 0, 2]


def test_a_decoder_may_see_the_pictures_its_own_way():
    other = replace(images(3), pixel_values=images(3).pixel_values + 7)
    both = replace(images(3), own={"pose": other})
    assert both.seen_by("detection") is both
    assert both.seen_by("pose") is other
    chosen = both.select(torch.tensor([2, 0])).seen_by("pose")
    assert chosen.pixel_values[:, 0, 0, 0].tolist() == [9, 7]
    assert both.to("meta").seen_by("pose").pixel_values.device.type == "meta"


def test_no_pictures_can_be_selected():
    assert len(images(2).select(torch.tensor([], dtype=torch.long))) == 0


def test_a_batch_moves_as_one_with_what_it_holds():
    inputs = ModelInputs(
        input_ids=torch.zeros(1, 2, dtype=torch.long),
        attention_mask=torch.ones(1, 2, dtype=torch.bool),
        turn_ids=torch.ones(1, 2, dtype=torch.long),
        turn_images=torch.zeros(1, 2, dtype=torch.long),
        images=images(1),
        packed=True,
    )
    moved = inputs.to("meta")
    assert moved.input_ids.device.type == "meta"
    assert moved.images is not None and moved.images.pixel_values.device.type == "meta"
    assert moved.pixel_values is None and moved.packed
    assert inputs.input_ids.device.type == "cpu"


def test_a_batch_without_pictures_has_none():
    images = ImageBatch.empty()
    assert len(images) == 0
    assert len(images.select(torch.zeros(0, dtype=torch.long))) == 0


def test_batches_of_different_sizes_are_joined_at_the_largest():
    one, wide = images(2), images(1)
    wide = replace(wide, pixel_values=torch.ones(1, 3, 3, 9), pixel_mask=torch.ones(1, 3, 9, dtype=torch.bool))
    joined = ImageBatch.join([one, wide])
    assert joined.pixel_values.shape == (3, 3, 4, 9) and len(joined) == 3
    assert joined.pixel_mask.sum(dim=(1, 2)).tolist() == [24, 24, 27]
    assert torch.equal(joined.pixel_values[1, :, :, :6], one.pixel_values[1])
    assert not joined.pixel_values[1, :, :, 6:].any() and not joined.pixel_values[2, :, 3:].any()


def test_batches_are_joined_with_what_single_decoders_see():
    both = replace(images(1), own={"pose": images(1)})
    assert len(ImageBatch.join([both, both]).seen_by("pose")) == 2
    with pytest.raises(ValueError, match="expected batches with the same decoders' own pictures, got 2 that differ"):
        ImageBatch.join([both, images(1)])
    with pytest.raises(ValueError, match="got 0 that differ"):
        ImageBatch.join([])
