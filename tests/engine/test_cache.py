from typing import Any

import pytest
import torch
from transformers import LlamaConfig, MistralConfig

from visionllm.engine.cache import BlockCache, keeps_every_key

CPU = torch.device("cpu")
LOWEST = torch.finfo(torch.float32).min


def cache(layers: int = 1) -> BlockCache:
    return BlockCache(layers, 6, 2, CPU)


def numbers(*values: list[float]) -> torch.Tensor:
    """Return float[B, 1, q, 1]."""
    return torch.tensor(values)[:, None, :, None]


def test_rows_of_different_lengths_read_their_own_keys_in_order():
    own = cache()
    positions, mask = own.lay_out([[3, 1], [2]], [0, 0], [3, 1], torch.float32)
    assert positions.tolist() == [[0, 1, 2], [0, 0, 0]], "padding repeats the last id"
    keys, values = own.update(numbers([1, 2, 3], [7, 8, 9]), numbers([4, 5, 6], [7, 8, 9]), 0)
    assert keys[:, 0, :, 0].tolist() == [[1, 2, 3, 0], [7, 0, 0, 0]]
    assert values[0, 0, :, 0].tolist() == [4, 5, 6, 0]
    assert mask.shape == (2, 1, 3, 4)
    assert (mask[0, 0] == 0).tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
    ]
    assert mask[1, 0, 2].tolist() == [0, LOWEST, LOWEST, LOWEST]


def test_later_ids_go_on_where_a_row_ended():
    own = cache()
    own.lay_out([[3, 1]], [0], [3], torch.float32)
    own.update(numbers([1, 2, 3]), numbers([1, 2, 3]), 0)
    positions, _ = own.lay_out([[2], [3, 1]], [0, 3], [1, 1], torch.float32)
    assert positions.tolist() == [[0], [3]]
    keys, _ = own.update(numbers([9], [4]), numbers([9], [4]), 0)
    assert keys[:, 0, :, 0].tolist() == [[9, 0, 0, 0], [1, 2, 3, 4]]


def test_memory_is_taken_once_and_cleaned_blocks_are_zero():
    own = cache(2)
    own.lay_out([[3], [1]], [0, 0], [2, 2], torch.float32)
    for layer in range(2):
        own.update(numbers([1, 2], [3, 4]), numbers([1, 2], [3, float("nan")]), layer)
    memory = own.own[1].values
    assert memory is not None and memory.shape == (7, 2, 1, 1)
    own.clean([1])
    assert memory.sum() == 3 and own.own[1].values is memory
    assert own.own[0].get_max_length() == 12 and own.get_seq_length() == 0
    assert own.get_mask_sizes(1, 0) == (2, 0)


def test_a_pass_without_a_layout_is_refused():
    with pytest.raises(ValueError, match="expected a layout for the rows of this pass, got none"):
        cache().update(numbers([1]), numbers([1]), 0)


def test_layers_that_forget_need_another_cache():
    small: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2}
    assert keeps_every_key(LlamaConfig(**small))
    assert not keeps_every_key(MistralConfig(**small, sliding_window=4))
