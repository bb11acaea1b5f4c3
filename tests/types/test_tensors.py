"""Tensors that travel together."""

from dataclasses import replace

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
