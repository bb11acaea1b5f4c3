"""Edited pictures: the two guidances, the picture to edit, sizes, and what is dropped in training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.decoders.generation.test_decoder import Scripted, same
from visionllm.config.editing import EditingConfig
from visionllm.decoders import EditingDecoder
from visionllm.nn.diffusion import encode
from visionllm.super_link import select_units
from visionllm.types import Options
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries

Example = tuple[EditingDecoder, Queries, ImageBatch, list[PictureTargets]]


@pytest.fixture(scope="module")
def example() -> Example:
    torch.manual_seed(0)
    decoder, queries, images, targets = EditingDecoder.example()
    return decoder.eval(), queries, images, targets


def test_an_edited_picture_has_the_ratio_of_its_original_and_the_usual_area(example: Example):
    decoder, queries, images, _ = example
    results = decoder.decode(queries, images, Options())
    assert [[p.shape for p in result.pictures] for result in results] == [
        [(16, 24, 3)],
        [(24, 16, 3)] * 2,
        [(24, 16, 3)],
    ]
    assert [result.original_hw for result in results] == [(32, 48), (48, 32), (48, 32)]


def test_a_request_chooses_another_size(example: Example):
    decoder, queries, images, _ = example
    (result, *_) = decoder.decode(queries, images, Options(size_hw=(16, 16)))
    assert result.pictures[0].shape == (16, 16, 3)


def test_a_picture_of_any_size_has_a_size_that_the_vae_takes(example: Example):
    decoder, queries, images, _ = example
    odd = replace(images, sizes_hw=torch.tensor([[1000, 3], [37, 41]]))
    for height, width in decoder._sizes(queries, odd, Options()):
        decoder.config.check_picture((height, width))


def test_the_vae_sees_the_picture_without_its_padding_in_plain_pixels(example: Example):
    decoder, queries, images, _ = example
    mean, std = (torch.tensor(v)[:, None, None] for v in (decoder.config.pixel_mean, decoder.config.pixel_std))
    plain = (images.pixel_values[0, :, :16, :24] * std + mean) * 2 - 1
    with torch.no_grad():
        wanted = encode(decoder.vae, plain[None]).mean
        found = decoder._context(queries, images, (16, 24))
    torch.testing.assert_close(found[:1], wanted)
    disturbed = replace(images, pixel_values=images.pixel_values.masked_fill(~images.pixel_mask[:, None], 9.0))
    with torch.no_grad():
        torch.testing.assert_close(decoder._context(queries, disturbed, (16, 24)), found)


def test_words_and_picture_guide_apart(example: Example):
    decoder, queries, images, _ = example
    one = select_units(queries, [0])
    other_words = replace(one, states=one.states.flip(2) + 1)
    noise = torch.randn(images.pixel_values.shape, generator=torch.Generator().manual_seed(9))
    other_picture = replace(images, pixel_values=noise)

    def picture(queries: Queries, images: ImageBatch, words: float, image: float) -> np.ndarray:
        options = Options(guidance=words, image_guidance=image, steps=2, scheduler="DDIMScheduler")
        return decoder.decode(queries, images, options)[0].pictures[0]

    np.testing.assert_array_equal(picture(one, images, 0.0, 2.0), picture(other_words, images, 0.0, 2.0))
    np.testing.assert_array_equal(picture(one, images, 0.0, 0.0), picture(one, other_picture, 0.0, 0.0))
    assert not np.array_equal(picture(one, images, 3.0, 2.0), picture(other_words, images, 3.0, 2.0))
    assert not np.array_equal(picture(one, images, 1.0, 4.0), picture(one, other_picture, 1.0, 4.0))


@pytest.mark.parametrize(("words", "image", "looks"), [(1.0, 1.0, 1), (3.0, 1.0, 2), (2.0, 2.0, 2), (3.0, 2.0, 3)])
def test_a_guide_without_weight_costs_nothing(example: Example, words: float, image: float, looks: int):
    decoder, queries, images, _ = example
    seen: list[int] = []
    handle = decoder.unet.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    options = Options(guidance=words, image_guidance=image, steps=1, scheduler="DDIMScheduler")
    decoder.decode(select_units(queries, [0]), images, options)
    handle.remove()
    assert seen == [looks]


def test_words_and_picture_are_dropped_alone_and_together(example: Example):  # at the rate 0.1
    decoder, queries, images, targets = example
    found = decoder(queries, images, targets, Scripted([0.05, 0.15, 0.25, 0.35]))
    nothing, channels = decoder.no_words()[0], decoder.config.latent_channels
    assert [torch.equal(c, nothing) for c in found.conditions] == [True, True, False, False]
    assert [bool((n[channels:] == 0).all()) for n in found.noisy] == [False, True, True, False]


def test_editing_keeps_to_the_seed(example: Example):
    decoder, queries, images, _ = example
    first, again = (decoder.decode(queries, images, Options(seed=2))[1] for _ in range(2))
    assert first.seeds == (2, 3)
    assert same(first, again)


def test_the_published_sizes_are_the_default():
    with torch.device("meta"):
        decoder = EditingDecoder(EditingConfig(), 4096)
    assert sum(p.numel() for p in decoder.unet.parameters()) == 859_532_484
    assert all(p.requires_grad for p in decoder.unet.parameters())
    assert not any(p.requires_grad for p in decoder.vae.parameters())
