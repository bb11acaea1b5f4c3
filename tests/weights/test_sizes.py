import pytest
import torch

from tests.tiny import tiny_config, tiny_model
from visionllm.recipes.published.models import published_config
from visionllm.weights.sizes import (
    Part,
    cache_size,
    in_words,
    is_quantised,
    left_out,
    packed_size,
    parts_of,
    skeleton,
    total_size,
)


def test_a_model_is_counted_without_memory_as_it_is_with():
    model = tiny_model()
    bare = skeleton(tiny_config())
    assert parts_of(bare) == parts_of(model)
    assert {p.device.type for p in bare.parameters()} == {"meta"}
    tensors = [*model.parameters(), *model.buffers()]
    assert total_size(parts_of(model), "fp32") == sum(tensor.nbytes for tensor in tensors)
    floating = sum(tensor.numel() for tensor in tensors if tensor.is_floating_point())
    assert total_size(parts_of(model), "fp32") - total_size(parts_of(model), "bf16") == 2 * floating


def test_what_is_shared_counts_once():
    text = tiny_config().to_dict()["text_config"]
    apart, tied = (
        {p.name: p for p in parts_of(skeleton(tiny_config(text_config=text | {"tie_word_embeddings": both})))}
        for both in (False, True)
    )
    table = text["vocab_size"] * text["hidden_size"]
    assert apart["language_model"].numbers - tied["language_model"].numbers == table


def test_only_the_matrices_of_the_language_models_layers_become_smaller():
    model = tiny_model()
    parts = {part.name: part for part in parts_of(model)}
    assert parts["language_model"].size("int4") < parts["language_model"].size("int8")
    assert parts["language_model"].size("int8") < parts["language_model"].size("bf16")
    others = [part for name, part in parts.items() if name != "language_model"]
    assert all(part.size("int8") == part.size("int4") == part.size("bf16") for part in others)
    names = [name for name, module in model.named_modules() if is_quantised(name, module)]
    assert names and all(name.startswith("language_model.model.layers.") for name in names)
    assert len(names) == len(parts["language_model"].matrices)


def test_a_part_in_eight_and_four_bits():
    part = Part(name="language_model", numbers=1000, matrices=((8, 64), (4, 64)), other_bytes=7)
    assert part.size("int8", 4) == 4 * (1000 - 768) + 768 + 4 * 12 + 7
    assert part.size("int4") == 2 * (1000 - 768) + 384 + 4 * (12 + 32) + 7
    assert packed_size((1, 65), "int4") == 33 + 4 * (2 + 16)


def test_the_longest_conversation_of_the_published_model():
    config = published_config("7b")
    assert cache_size(config, "bf16") == 2 * 32 * 4096 * 4096 * 2
    assert cache_size(config, "fp32", 1) == 2 * 32 * 4096 * 4
    assert cache_size(config, "int4") == cache_size(config, "bf16")


def test_heads_that_share_their_keys_remember_less():
    text = tiny_config().to_dict()["text_config"]
    few = tiny_config(text_config=text | {"num_key_value_heads": 1})
    assert cache_size(tiny_config(), "bf16") == text["num_attention_heads"] * cache_size(few, "bf16")


def test_the_largest_decoders_are_left_out_first():
    sizes = {"language_model": 10, "decoders.pose": 1, "decoders.editing": 5, "decoders.detection": 2}
    parts = [Part(name=name, numbers=count) for name, count in sizes.items()]
    out = [left_out(parts, "bf16", 2 * budget) for budget in (18, 17, 13, 12, 11, 10, 9)]
    first, second = ("decoders.editing",), ("decoders.editing", "decoders.detection")
    assert out == [(), first, first, second, second, (*second, "decoders.pose"), None]


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0.0 kB"), (999_999, "1000.0 kB"), (10**6, "1.0 MB"), (10**9, "1.0 GB")]
)
def test_sizes_in_words(size: int, words: str):
    assert in_words(size) == words


def test_a_type_of_half_the_size_is_what_a_model_in_it_takes():
    model = tiny_model().bfloat16()
    floating = [t for t in [*model.parameters(), *model.buffers()] if t.is_floating_point()]
    assert {t.dtype for t in floating} == {torch.bfloat16}
    assert total_size(parts_of(model), "bf16") == sum(t.nbytes for t in [*model.parameters(), *model.buffers()])
