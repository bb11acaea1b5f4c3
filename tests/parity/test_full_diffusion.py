"""The whole model beside the published one where it makes and edits pictures: slots, draws and losses.

The folder beside this file has no room for the weights of both decoders; what a set lacks is skipped.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import CLIPTokenizer

from tests.parity.golden import Golden, StoredDraws, assert_close, sets
from tests.parity.test_full import KEYS, Case, case_of
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing.captions import caption_ids
from visionllm.types.tensors import ImageBatch, ModelInputs, PictureTargets
from visionllm.weights.diffusion_folder import read_diffusion_settings
from visionllm.weights.published import (
    DECODERS,
    TOKENS,
    config_from_published,
    state_from_published,
    state_to_published,
)

OWNERS = {"t2i": "generation", "edit": "editing"}
PLAIN = (0.5, 0.5, 0.5)


def build(golden: Golden, name: str) -> VisionLLMForConditionalGeneration:
    """Return the model with the one decoder that a case opens."""
    theirs, weights = DECODERS[OWNERS[name]], golden.weights
    if not any(key.startswith(theirs) for key in weights):
        pytest.skip(f"{golden} has no weights of {theirs}")
    others = [f"use_{part.removesuffix('.')}" for part in DECODERS.values() if part != theirs]
    raw: dict[str, Any] = golden.config | dict.fromkeys(others, False)
    ids = {token: golden.json()["fixture"]["token_ids"][key] for token, key in zip(TOKENS, KEYS, strict=True)}
    base = read_diffusion_settings(golden.path / raw[f"{theirs[:-1]}_config"]["sd_model_id"])
    config = config_from_published(raw, token_ids=ids, bases={OWNERS[name]: base})
    if name == "edit":
        config.decoders["editing"] |= {"pixel_mean": PLAIN, "pixel_std": PLAIN}
    model = VisionLLMForConditionalGeneration(config)
    kept = {k: v for k, v in weights.items() if not k.startswith(tuple(p for p in DECODERS.values() if p != theirs))}
    lost = model.load_state_dict(state_from_published(kept, config), strict=False).missing_keys
    assert all(".vae.decoder." in key or ".vae.post_quant_conv." in key for key in lost), "training needs no decoding"
    return model.train()


def inputs_of(case: Case) -> ModelInputs:
    pixels = case.given.get("input_images")
    if pixels is None:
        return replace(case.inputs(), images=None, turn_images=torch.full((len(case.ids), 2), -1))
    size = torch.tensor([pixels.shape[-2:]] * len(pixels))
    mask = torch.ones(len(pixels), *pixels.shape[-2:], dtype=torch.bool)
    images = ImageBatch(pixel_values=pixels, pixel_mask=mask, sizes_hw=size, resized_hw=size)
    return replace(case.inputs(), images=images)


def ids_of(golden: Golden, name: str, decoder: DiffusionDecoder) -> torch.Tensor:
    raw = golden.json()
    folder = raw[f"{DECODERS[OWNERS[name]][:-1]}_config"]["sd_model_id"]
    tokenizer = CLIPTokenizer.from_pretrained(str(golden.path / folder / "tokenizer"), local_files_only=True)
    return caption_ids(golden.json("img_metas.json")[f"{name}_captions"], tokenizer, decoder.config.tokens)


@pytest.mark.parametrize("name", OWNERS)
@pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in sets("full")])
def test_a_training_step_with_a_picture_has_the_published_losses(golden: Golden, name: str):
    model = build(golden, name)
    case = case_of(golden, name, model)
    inputs, decoder = inputs_of(case), model.decoders[OWNERS[name]]
    assert isinstance(decoder, DiffusionDecoder)
    hidden = model.states(inputs)
    assert_close(hidden, case.expected["hidden"], "hidden")
    queries = model.super_link.gather(hidden, inputs)[OWNERS[name]]
    assert_close(decoder.mapped(queries), case.expected["mapping_feature"], "mapped slots")
    targets = [
        PictureTargets(pictures=picture[None], caption_ids=ids[None])
        for picture, ids in zip(case.given["output_images"], ids_of(golden, name, decoder), strict=True)
    ]
    draws = StoredDraws([v for k, v in sorted(case.given.items()) if k.startswith("rng.")])
    found = decoder(queries, inputs.images or ImageBatch.empty(), targets, draws)
    terms = decoder.terms(found, queries, targets)
    assert_close(terms["noise"], case.expected["image_loss"], "noise")
    assert_close(terms["caption"] / decoder.config.caption_weight, case.expected["caption_loss"], "caption")
    tool = torch.stack(list(terms.values())).sum()
    assert_close(tool, case.expected["tool_loss"], "loss of the decoder")
    assert inputs.labels is not None
    text = model.text_loss(hidden, inputs.labels)
    assert text is not None
    assert_close(text + tool, case.expected["loss"], "loss")


@pytest.mark.parametrize("name", OWNERS)
@pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in sets("full")])
def test_names_there_and_back_keep_every_number(golden: Golden, name: str):
    model, weights = build(golden, name), golden.weights
    back = state_to_published(model.state_dict(), model.config)
    theirs = [key for key in weights if key.startswith(DECODERS[OWNERS[name]])]
    assert theirs
    assert all(torch.equal(back[key], weights[key]) for key in theirs)
