from collections.abc import Callable

import pytest
import torch
from PIL import Image

from visionllm.processing.batches import Row, collate, packed_row
from visionllm.processing.chat import Written
from visionllm.processing.configuration import ProcessorConfig
from visionllm.types import Mark, Message, Part, Picture, Point, Request

MakePicture = Callable[..., Image.Image]


def question(*parts: Part) -> Request:
    return Request((Message("user", parts),))


def row(*ids: int) -> Row:
    return Row(ids=list(ids), labels=[-100, *ids[1:]], turns=[0, *[1] * (len(ids) - 1)])


def own(ids: list[int], turns: list[int], picture: int | None = None) -> Written:
    return Written(ids=ids, labels=ids, turns=turns, turn_pictures={} if picture is None else {1: picture})


@pytest.mark.parametrize("left", [True, False])
def test_short_rows_are_padded_on_the_chosen_side(config: ProcessorConfig, left: bool) -> None:
    inputs = collate([row(5, 6, 7), row(8)], config, 9, left=left, labels=True)
    short = slice(2, 3) if left else slice(0, 1)
    assert inputs.input_ids[0].tolist() == [5, 6, 7]
    assert inputs.input_ids[1].tolist() == ([9, 9, 8] if left else [8, 9, 9])
    assert inputs.attention_mask[1].nonzero().flatten().tolist() == [short.start]
    assert inputs.turn_ids.tolist()[0] == [0, 1, 1]
    assert inputs.labels is not None
    assert inputs.labels.tolist()[0] == [-100, 6, 7]
    assert set(inputs.labels[1].tolist()) == {-100}


def test_rows_without_pictures_have_no_pixels(config: ProcessorConfig) -> None:
    inputs = collate([row(5, 6)], config, 9, left=True)
    assert inputs.pixel_values is inputs.splits is inputs.images is inputs.region_masks is inputs.labels is None
    assert inputs.turn_images.tolist() == [[-1, -1]]


def test_packed_rows_share_their_first_pictures_and_keep_their_own(
    config: ProcessorConfig, picture: MakePicture
) -> None:
    shared, extra, other = picture(10, 10, 1), picture(20, 10, 2), picture(10, 20, 3)
    requests = [
        question(Picture(shared), "a", Picture(extra), Mark(Point(15, 5))),
        question(Picture(shared), "b", Picture(other), Mark(Point(5, 15), 1), Mark(Point(1, 1), 0)),
    ]
    written = [own([1, 2, 3], [0, 1, 1], 1), own([1, 4], [0, 1], 0)]
    packed = packed_row(requests, written)
    assert (packed.ids, packed.turns, packed.offsets) == ([1, 2, 3, 4], [0, 1, 1, 2], [0, 2])
    assert packed.pictures == [shared, extra, other]
    assert [p for _, p in packed.marks] == [1, 2, 0]
    assert packed.turn_pictures == {1: 1, 2: 0}
    inputs = collate([row(7), packed, packed], config, 9, left=False, packed=True)
    assert inputs.packed
    assert inputs.splits is not None
    assert inputs.region_pictures is not None
    assert inputs.splits.tolist() == [1] * 6
    assert inputs.region_pictures.tolist() == [1, 2, 0, 4, 5, 3]
    assert inputs.turn_images.tolist() == [[-1, -1, -1], [-1, 0, 1], [-1, 2, 3]]
    assert inputs.images is not None
    assert inputs.images.sizes_hw.tolist() == [[10, 20], [10, 10], [10, 20], [10, 10]]


def test_packed_rows_with_other_pictures_are_refused(picture: MakePicture) -> None:
    requests = [question(Picture(picture()), "a"), question(Picture(picture()), "b")]
    written = [own([1, 2], [0, 1]), own([1, 3], [0, 1])]
    with pytest.raises(
        ValueError, match="expected question 1 of a packed row to begin with the pictures of question 0, got"
    ):
        packed_row(requests, written)
    with pytest.raises(ValueError, match="expected question 1 of a packed row to begin with the pictures"):
        packed_row([requests[0], question("b")], written)


def test_packed_rows_with_other_system_words_are_refused() -> None:
    written = [own([1, 2], [0, 1]), own([5, 3], [0, 1])]
    with pytest.raises(
        ValueError, match="expected question 1 of a packed row to share the system words of question 0, got"
    ):
        packed_row([question("a"), question("b")], written)


def test_a_picture_that_two_turns_decode_on_is_prepared_once(config: ProcessorConfig, picture: MakePicture) -> None:
    double = Row(ids=[1, 2, 3], labels=[1, 2, 3], turns=[0, 1, 2], pictures=[picture()], turn_pictures={1: 0, 2: 0})
    inputs = collate([double], config, 9, left=True)
    assert inputs.images is not None
    assert len(inputs.images) == 1
    assert inputs.turn_images.tolist() == [[-1, 0, 0]]


def test_a_model_that_only_talks_gets_no_decoder_images(picture: MakePicture) -> None:
    config = ProcessorConfig(decoder=None)
    one = Row(ids=[1, 2], labels=[1, 2], turns=[0, 1], pictures=[picture()], turn_pictures={1: 0})
    inputs = collate([one], config, 9, left=True)
    assert inputs.images is None
    assert inputs.turn_images.tolist() == [[-1, -1]]
    assert inputs.pixel_values is not None
    assert torch.isfinite(inputs.pixel_values).all()
