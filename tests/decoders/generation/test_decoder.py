"""Pictures from query groups: seeds, sizes, guidance, losses, and what is refused."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from visionllm.config.diffusion import DiffusionConfig
from visionllm.decoders import EditingDecoder, GenerationDecoder
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.ops.draws import Draws
from visionllm.super_link import select_units
from visionllm.types import GeneratedImages, Options
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries

NOTHING = ImageBatch.empty()


@pytest.fixture(scope="module")
def example() -> tuple[GenerationDecoder, Queries, ImageBatch, list[PictureTargets]]:
    torch.manual_seed(0)
    decoder, queries, images, targets = GenerationDecoder.example()
    return decoder.eval(), replace(queries, images=torch.full_like(queries.images, -1)), images, targets


class Scripted(Draws):
    """Draws zeros and the given uniform numbers."""

    def __init__(self, numbers: Sequence[float]) -> None:
        super().__init__()
        self.numbers = numbers

    def uniform(self, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        return torch.tensor(self.numbers)

    def normal(self, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        return torch.zeros(shape)

    def integers(self, high: int, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.long)


def made(decoder: GenerationDecoder, queries: Queries, **options) -> list[GeneratedImages]:
    return decoder.decode(queries, NOTHING, Options(**options))


def same(a: GeneratedImages, b: GeneratedImages) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.pictures, b.pictures, strict=True))


def test_each_query_group_has_a_picture_and_needs_none(example):
    decoder, queries, _, _ = example
    results = made(decoder, queries)
    assert [len(result) for result in results] == [1, 2, 1]
    assert all(picture.shape == (16, 24, 3) for result in results for picture in result.pictures)
    assert all(result.original_hw is None for result in results)


def test_the_same_seed_makes_the_same_picture_whoever_comes_along(example):
    decoder, queries, _, _ = example
    first, alone = made(decoder, queries, seed=3), made(decoder, select_units(queries, [0]), seed=3)
    assert same(first[0], made(decoder, queries, seed=3)[0])
    difference = first[0].pictures[0].astype(int) - alone[0].pictures[0].astype(int)
    assert abs(difference).max() <= 1
    assert not same(first[0], made(decoder, queries, seed=4)[0])


def test_pictures_of_one_answer_have_seeds_of_their_own(example):
    decoder, queries, _, _ = example
    results = made(decoder, queries, seed=5)
    assert [result.seeds for result in results] == [(5,), (5, 6), (5,)]


@pytest.mark.parametrize("scheduler", ["EulerAncestralDiscreteScheduler", "LCMScheduler", "DDPMScheduler"])
def test_a_scheduler_that_adds_noise_keeps_to_the_seed(example, scheduler):
    decoder, queries, _, _ = example
    options = {"scheduler": scheduler, "steps": 3, "seed": 1}
    together, again = made(decoder, queries, **options), made(decoder, select_units(queries, [2]), **options)
    difference = together[2].pictures[0].astype(int) - again[0].pictures[0].astype(int)
    assert abs(difference).max() <= 1


def test_a_request_chooses_size_steps_scheduler_and_guidance(example):
    decoder, queries, _, _ = example
    queries = select_units(queries, [0])
    (plain,) = made(decoder, queries)
    assert made(decoder, queries, size_hw=(24, 16))[0].pictures[0].shape == (24, 16, 3)
    for change in ({"steps": 3}, {"scheduler": "DDIMScheduler", "steps": 3}, {"guidance": 1.0}, {"guidance": 0.0}):
        assert not same(plain, made(decoder, queries, **change)[0])


def test_without_guidance_the_network_looks_once_a_step(example, monkeypatch):
    decoder, queries, _, _ = example
    seen: list[int] = []
    handle = decoder.unet.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    made(decoder, select_units(queries, [0]), guidance=1.0, steps=1, scheduler="DDIMScheduler")
    made(decoder, select_units(queries, [0]), guidance=2.0, steps=1, scheduler="DDIMScheduler")
    handle.remove()
    assert seen == [1, 2]


def test_guidance_of_nothing_ignores_the_queries(example):
    decoder, queries, _, _ = example
    other = replace(queries, states=queries.states.flip(0).flip(1))
    with torch.no_grad():
        assert not torch.equal(decoder.mapped(queries), decoder.mapped(other))
    assert same(made(decoder, queries, guidance=0.0)[0], made(decoder, other, guidance=0.0)[0])


def test_words_are_dropped_at_twice_the_rate(example):
    decoder, queries, images, targets = example
    found = decoder(queries, images, targets, Scripted([0.0, 0.19, 0.2, 0.9]))
    nothing = decoder.no_words()[0]
    assert [torch.equal(condition, nothing) for condition in found.conditions] == [True, True, False, False]
    torch.testing.assert_close(found.conditions[2:], found.states[2:])


def test_a_decoder_without_a_text_encoder_learns_what_no_words_are():
    decoder = GenerationDecoder(replace(tiny_diffusion(), text=None, frozen=("vae.*",)), 16)
    _, queries, images, targets = GenerationDecoder.example()
    wordless = [replace(target, caption_ids=None) for target in targets]
    found = decoder(queries, images, wordless, Scripted([0.0, 0.9, 0.9, 0.9]))
    terms = decoder.terms(found, queries, wordless)
    assert list(terms) == ["noise"]
    terms["noise"].backward()
    assert decoder.empty_words is not None
    assert decoder.empty_words.grad is not None
    with pytest.raises(ValueError, match="expected a decoder with a text encoder for captions"):
        decoder.loss(queries, images, targets)


def test_targets_with_and_without_captions_may_come_together(example):
    decoder, queries, images, targets = example
    mixed = [targets[0], replace(targets[1], caption_ids=None), targets[2]]
    terms = decoder.terms(decoder(queries, images, mixed, Draws()), queries, mixed)
    chosen = [0, 3]
    with torch.no_grad():
        ids = torch.cat([t.caption_ids for t in (targets[0], targets[2]) if t.caption_ids is not None])
        distance = (decoder.mapped(queries)[chosen] - decoder.read(ids)).square().mean()
    torch.testing.assert_close(terms["caption"], 0.1 * distance, check_stride=False)


def test_frozen_parts_do_not_learn():
    decoder = GenerationDecoder(replace(tiny_diffusion(), frozen=("unet.*", "vae.decoder.*")), 16)
    learning = {name.split(".")[0] for name, p in decoder.named_parameters() if p.requires_grad}
    assert learning == {"mapper", "text_encoder", "vae"}
    assert not any(p.requires_grad for n, p in decoder.named_parameters() if n.startswith("vae.decoder."))


def test_a_size_that_the_vae_cannot_take_is_refused(example):
    decoder, queries, images, targets = example
    with pytest.raises(ValueError, match=r"expected a picture size of multiples of 2 pixels.*, got 15×16"):
        made(decoder, queries, size_hw=(15, 16))
    odd = [replace(t, pictures=t.pictures[..., :15, :]) for t in targets]
    with pytest.raises(ValueError, match=r"expected a picture size of multiples of 2 pixels.*, got 15×24"):
        decoder.loss(queries, images, odd)


def test_an_unknown_scheduler_is_refused(example):
    decoder, queries, _, _ = example
    with pytest.raises(ValueError, match=r"expected a scheduler among .*, got 'Best'"):
        made(decoder, queries, scheduler="Best")


def test_targets_that_do_not_fit_are_refused(example):
    decoder, queries, images, targets = example
    with pytest.raises(ValueError, match="expected 2 pictures, one per query group, got 1"):
        decoder.loss(queries, images, [targets[0], targets[0], targets[2]])
    smaller = replace(targets[0], pictures=targets[0].pictures[..., :8])
    with pytest.raises(ValueError, match=r"expected pictures of one size in a batch, got \[\(16, 8\), \(16, 24\)\]"):
        decoder.loss(queries, images, [smaller, *targets[1:]])
    assert targets[0].caption_ids is not None
    short = replace(targets[0], caption_ids=targets[0].caption_ids[:, :4])
    with pytest.raises(ValueError, match=r"expected caption_ids \[1, 6\], one row per query group, got \[1, 4\]"):
        decoder.loss(queries, images, [short, *targets[1:]])


def test_a_text_encoder_of_unknown_keys_is_refused():
    config = replace(tiny_diffusion(), text={"model_type": "clip_text_model", "hidden_size": 16, "wide": 1})
    with pytest.raises(ValueError, match=r"unknown key text\.wide"):
        GenerationDecoder(config, 16)


def test_the_published_sizes_are_the_default():
    with torch.device("meta"):
        decoder = GenerationDecoder(DiffusionConfig(), 4096)
    assert sum(p.numel() for p in decoder.unet.parameters()) == 859_520_964
    assert not any(p.requires_grad for p in decoder.unet.parameters())
    assert decoder.mapper.queries.shape == (1, 77, 768)


@pytest.mark.parametrize("kind", [GenerationDecoder, EditingDecoder])
def test_half_the_precision_is_enough_to_learn_and_to_draw(kind):
    decoder, queries, images, targets = kind.example()
    decoder = decoder.to(torch.bfloat16)
    terms = decoder.loss(queries, images, targets)
    assert all(term.isfinite() and term.dtype == torch.float32 for term in terms.values())
    for scheduler in ("PNDMScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"):
        results = decoder.decode(queries, images, Options(scheduler=scheduler))
        assert [len(result) for result in results] == [1, 2, 1]
