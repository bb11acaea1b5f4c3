"""Label Studio's run lengths: known bytes, and the way there and back."""

import numpy as np
import pytest

from visionllm.formats.rle_pack import pack_mask, unpack_mask


def test_known_bytes():
    """Worked out by hand: 32 bits of length, the sizes, then a run of 4 zeros and one of 4 times 255."""
    mask = np.array([[False, True]])
    head = f"{8:032b}" + "00111" + "0010" + "0011" + "0111" + "1111"
    runs = "1" + "00" + "011" + "00000000" + "1" + "00" + "011" + "11111111"
    stream = (head + runs).ljust(88, "0")
    assert pack_mask(mask) == [int(stream[i : i + 8], 2) for i in range(0, 88, 8)]


def test_values_as_they_are_are_read_too():
    head = f"{8:032b}" + "00111" + "0010" + "0011" + "0111" + "1111"
    values = "0" + "00" + "111" + "".join(f"{value:08b}" for value in (1, 2, 3, 0, 0, 0, 0, 9))
    stream = (head + values).ljust(128, "0")
    assert unpack_mask([int(stream[i : i + 8], 2) for i in range(0, 128, 8)], (1, 2)).tolist() == [[False, True]]


@pytest.mark.parametrize("size_hw", [(1, 1), (5, 7), (40, 60), (300, 200)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_masks_come_back_as_they_went(size_hw, share):
    mask = np.random.default_rng(0).random(size_hw) < share
    assert (unpack_mask(pack_mask(mask), size_hw) == mask).all()


def test_other_sizes_and_broken_bytes_are_refused():
    packed = pack_mask(np.ones((5, 7), dtype=bool))
    with pytest.raises(ValueError, match="expected 168 values, four a pixel"):
        unpack_mask(packed, (6, 7))
    with pytest.raises(ValueError, match="break off"):
        unpack_mask(packed[:8], (5, 7))
