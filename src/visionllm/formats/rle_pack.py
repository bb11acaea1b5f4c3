"""The run lengths in which Label Studio keeps brush strokes: a stream of bits over RGBA bytes.

The head says how many values there are (32 bits), how long one is (5 bits, less one) and four sizes of run lengths
(4 bits each, less one). Then come runs: one bit (1: a value that is repeated, 0: values as they are), two bits that
choose a size, the length less one in so many bits, and the value or values.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORD = 8
SIZES = (3, 4, 8, 16)


def pack_mask(mask: NDArray[np.bool_]) -> list[int]:
    """Return the bytes of a mask bool[H, W]; inside every channel is 255.

    >>> pack_mask(np.array([[True]]))
    [0, 0, 0, 4, 57, 27, 252, 127, 224]
    """
    flat = mask.ravel()
    edges = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]]) if flat.size else np.zeros(1, int)
    bits = [_bits(flat.size * 4, 32), _bits(WORD - 1, 5), *(_bits(size - 1, 4) for size in SIZES)]
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        rest, value = (end - start) * 4, _bits(255 if flat[start] else 0, WORD)
        while rest:
            run = min(rest, 1 << SIZES[-1])
            choice = next(i for i, size in enumerate(SIZES) if run <= 1 << size)
            bits += ["1", _bits(choice, 2), _bits(run - 1, SIZES[choice]), value]
            rest -= run
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return [int(stream[i : i + 8], 2) for i in range(0, len(stream), 8)]


def unpack_mask(packed: Sequence[int], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return bool[H, W]; a pixel is inside where its last channel is not 0.

    Args:
        packed: Bytes.
        size_hw: (height, width) of the mask.

    Raises:
        ValueError: If the bytes are of another size, or break off.
    """
    stream = np.unpackbits(np.array(packed, dtype=np.uint8)).tolist()
    place = 0

    def read(count: int) -> int:
        nonlocal place
        if place + count > len(stream):
            raise ValueError("expected whole run lengths, got some that break off")
        value = 0
        for bit in stream[place : place + count]:
            value = value << 1 | bit
        place += count
        return value

    total, word = read(32), read(5) + 1
    if total != size_hw[0] * size_hw[1] * 4:
        raise ValueError(f"expected {size_hw[0] * size_hw[1] * 4} values, four a pixel of {size_hw}, got {total}")
    sizes = [read(4) + 1 for _ in SIZES]
    values = np.zeros(total, dtype=np.uint8)
    filled = 0
    while filled < total:
        repeated = read(1)
        end = filled + read(sizes[read(2)]) + 1
        if repeated:
            values[filled:end] = read(word) & 255
        else:
            for index in range(filled, min(end, total)):
                values[index] = read(word) & 255
        filled = end
    return values.reshape(*size_hw, 4)[..., 3] > 0


def _bits(value: int, count: int) -> str:
    return format(value, f"0{count}b")
