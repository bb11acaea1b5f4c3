"""The generation and editing decoders give the published numbers: mapped slots, losses, gradients, a picture."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from tests.parity.golden import GRADIENT_TOLERANCE, Case, StoredDraws, assert_close, sets
from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.editing import EditingConfig
from visionllm.decoders import EditingDecoder, GenerationDecoder
from visionllm.decoders.base.diffusing import DiffusionDecoder, DiffusionOutputs
from visionllm.processing.captions import caption_ids
from visionllm.types import Options
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries
from visionllm.weights.diffusion_folder import read_diffusion_settings
from visionllm.weights.published_diffusion import (
    diffusion_config_from_published,
    diffusion_from_published,
    diffusion_to_published,
)

PLAIN = (0.5, 0.5, 0.5)  # pixels in [−1, 1], as the published editing decoder takes them
RUN_STEPS, RUN_IMAGE_GUIDANCE = 3, 1.5
DRAWN_BY = "diffusers.schedulers.scheduling_euler_ancestral_discrete.randn_tensor"


@dataclass(frozen=True)
class DiffusionCase(Case):
    """A published diffusion decoder with its weights and inputs."""

    @property
    def edits(self) -> bool:
        return "input_images" in self.inputs

    @cached_property
    def raw(self) -> dict[str, Any]:
        return self.golden.json()

    @cached_property
    def decoder(self) -> DiffusionDecoder[Any]:
        base = read_diffusion_settings(self.golden.path / self.raw["sd_model_id"])
        width = self.raw["llm_hidden_size"]
        if self.edits:
            config = diffusion_config_from_published(self.raw, EditingConfig, base)
            decoder = EditingDecoder(replace(config, pixel_mean=PLAIN, pixel_std=PLAIN), width)
        else:
            decoder = GenerationDecoder(diffusion_config_from_published(self.raw, DiffusionConfig, base), width)
        decoder.load_state_dict(diffusion_from_published(self.golden.weights))
        return decoder.eval()

    def queries(self, prefix: str = "", hidden: Tensor | None = None) -> Queries:
        """Return one unit a routing token, in the order of the published code."""
        hidden = self.inputs[f"{prefix}hidden_states"] if hidden is None else hidden
        rows, places = (self.inputs[f"{prefix}input_ids"] == self.raw["trigger_token_id"]).nonzero(as_tuple=True)
        slots = places[:, None] + 1 + torch.arange(self.raw["num_embed_tokens"])
        units = len(rows)
        return Queries(
            states=hidden[rows[:, None], slots][:, None],
            mask=torch.ones(units, 1, dtype=torch.bool),
            images=rows if self.edits else torch.full((units,), -1),
            rows=rows,
            turns=torch.ones(units, dtype=torch.long),
            positions=places[:, None],
            routes=((self.raw["trigger_token"],),) * units,
        )

    def targets(self, *, captioned: bool = True) -> list[PictureTargets]:
        folder = self.golden.path / self.raw["sd_model_id"] / "tokenizer"
        tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        captions = self.golden.json("captions.json")
        ids = caption_ids(captions, tokenizer, self.raw["num_queries"])
        return [
            PictureTargets(
                pictures=self.inputs["output_images"][row : row + 1],
                caption_ids=ids[row : row + 1] if captioned else None,
            )
            for row in self.queries().rows.tolist()
        ]

    def images(self, pixels: Tensor | None) -> ImageBatch:
        if pixels is None:
            return ImageBatch.empty()
        count, _, height, width = pixels.shape
        size = torch.tensor([[height, width]] * count)
        mask = torch.ones(count, height, width, dtype=torch.bool)
        return ImageBatch(pixel_values=pixels, pixel_mask=mask, sizes_hw=size, resized_hw=size)

    def draws(self) -> StoredDraws:
        return StoredDraws([v for name, v in sorted(self.inputs.items()) if name.startswith("rng.")])

    def train(self, hidden: Tensor | None = None) -> DiffusionOutputs:
        images = self.images(self.inputs.get("input_images"))
        return self.decoder(self.queries(hidden=hidden), images, self.targets(), self.draws())


each_set = pytest.mark.parametrize(
    "case", [pytest.param(DiffusionCase(g), id=str(g)) for g in (*sets("sd"), *sets("ip2p"))], scope="module"
)


@each_set
@torch.no_grad()
def test_slots_are_mapped_as_published(case: DiffusionCase):
    assert_close(case.decoder.mapped(case.queries()), case.expected["mapping_feature"], "mapped slots")
    assert_close(case.decoder.no_words(), case.expected["null_conditioning"], "no words")


@each_set
@torch.no_grad()
def test_the_network_sees_and_says_what_the_published_one_does(case: DiffusionCase):
    found = case.train()
    expected = case.expected
    noisy = found.noisy if case.edits else found.noisy[:, : expected["noisy_latents"].shape[1]]
    assert_close(noisy, expected["noisy_latents"], "noisy latents")
    assert torch.equal(found.timesteps, expected["unet_in_timesteps"])
    assert_close(found.conditions, expected["unet_in_cond"], "conditions")
    assert_close(found.prediction, expected["model_pred"], "prediction")


@each_set
def test_losses_and_gradients_are_the_published_ones(case: DiffusionCase):
    case.decoder.zero_grad()
    hidden = case.inputs["hidden_states"].clone().requires_grad_()
    terms = case.decoder.terms(case.train(hidden), case.queries(), case.targets())
    loss = torch.stack(list(terms.values())).sum()
    assert_close(terms["noise"], case.expected["image_loss"], "noise")
    assert_close(terms["caption"] / case.decoder.config.caption_weight, case.expected["caption_loss"], "caption")
    assert_close(loss, case.expected["loss"], "loss")
    loss.backward()
    gradients = {n: p.grad for n, p in case.decoder.named_parameters() if p.grad is not None}
    named = diffusion_to_published({n: g for n, g in gradients.items() if n.startswith("mapper.")})
    named["hidden_states"] = hidden.grad if hidden.grad is not None else torch.zeros(0)
    checked = 0
    for name, value in case.expected.items():
        if name.startswith("grad."):
            assert_close(named[name.removeprefix("grad.")], value, name, tolerance=GRADIENT_TOLERANCE)
            checked += 1
    assert checked
    assert not [n for n in gradients if n.startswith(("vae.", "text_encoder."))]


@each_set
@torch.no_grad()
def test_without_captions_only_the_noise_counts(case: DiffusionCase):
    images, targets = case.images(case.inputs.get("input_images")), case.targets(captioned=False)
    found = case.decoder(case.queries(), images, targets, case.draws())
    terms = case.decoder.terms(found, case.queries(), targets)
    assert list(terms) == ["noise"]
    assert_close(terms["noise"], case.expected["image_loss"], "noise")
    assert_close(terms["noise"], case.expected["loss_nocap"], "loss")


@each_set
@torch.no_grad()
def test_three_steps_make_the_published_picture(case: DiffusionCase, monkeypatch: pytest.MonkeyPatch):
    stored = iter([v for name, v in sorted(case.inputs.items()) if name.startswith("run_rng.")])
    monkeypatch.setattr(DRAWN_BY, lambda *_, **__: next(stored))
    queries = case.queries("run_")
    pixels = case.inputs.get("run_cond_image")
    images = case.images(None if pixels is None else 2 * pixels - 1)
    height, width = case.expected["run_image"].shape[1:3]
    context = case.decoder._context(queries, images, (height, width))
    options = Options(steps=RUN_STEPS, guidance=case.raw["cfg_scale"], image_guidance=RUN_IMAGE_GUIDANCE)
    states, noise = case.decoder.mapped(queries), case.inputs["run_latents"]
    started = case.decoder.start(states, context, options, (height, width), [0] * len(states), noise)
    made = case.decoder.paint(started)
    assert_close(made.permute(0, 2, 3, 1), case.expected["run_image"], "picture")
