"""The decoders that make pictures learn eight of them by heart."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from visionllm.config.editing import EditingConfig
from visionllm.decoders import EditingDecoder, GenerationDecoder
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries

COUNT, SIDE, STEPS, PLAIN = 8, 16, 80, (0.5, 0.5, 0.5)
SCHEDULE = {"num_train_timesteps": 100, "beta_start": 0.02, "beta_end": 0.2, "beta_schedule": "linear"}
"""Few steps, none of them with hardly any noise, so that a tenth of the loss is a matter of seconds."""
FLAT = {
    "block_out_channels": [32],
    "down_block_types": ["CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D"],
    "norm_num_groups": 8,
}
"""A U-Net of one level: latents of 8×8 have no need of more, and it learns in half the steps."""


def squares() -> tuple[Tensor, list[PictureTargets]]:
    """Return pictures of one coloured square on black, and the same with the square in the opposite corner."""
    pictures = -torch.ones(COUNT, 3, SIDE, SIDE)
    for i, picture in enumerate(pictures):
        picture[i % 3, :8, :8] = 1 - i / COUNT
    return pictures, [PictureTargets(pictures=picture.flip(1, 2)[None]) for picture in pictures]


def build(kind: type[DiffusionDecoder[Any]]) -> DiffusionDecoder[Any]:
    tiny = replace(tiny_diffusion(), text=None, frozen=("vae.*",), picture_hw=(SIDE, SIDE))
    flat = {**tiny.unet, **FLAT}
    tiny = replace(tiny, unet=flat, schedule=SCHEDULE)
    if kind is GenerationDecoder:
        return GenerationDecoder(tiny, 16)
    shared = vars(tiny) | {"unet": {**flat, "in_channels": 8}, "drop_rate": 0.05}
    return EditingDecoder(EditingConfig(**shared, pixel_mean=PLAIN, pixel_std=PLAIN), 16)


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("kind", [GenerationDecoder, EditingDecoder])
def test_the_loss_of_eight_samples_falls_to_under_a_tenth(kind: type[DiffusionDecoder[Any]]):
    torch.manual_seed(0)
    pictures, targets = squares()
    decoder, index = build(kind).train(), torch.arange(COUNT)
    size = torch.full((COUNT, 2), SIDE)
    images = ImageBatch(
        pixel_values=pictures,
        pixel_mask=torch.ones(COUNT, SIDE, SIDE, dtype=torch.bool),
        sizes_hw=size,
        resized_hw=size,
    )
    queries = Queries(
        states=torch.randn(COUNT, 1, 4, 16),
        mask=torch.ones(COUNT, 1, dtype=torch.bool),
        images=index,
        rows=index,
        turns=index,
        positions=torch.zeros(COUNT, 1, dtype=torch.long),
        routes=(("[GEN]",),) * COUNT,
    )

    def loss(draws: torch.Generator) -> Tensor:
        return torch.stack(list(decoder.loss(queries, images, targets, draws).values())).sum()

    @torch.no_grad()
    def measured() -> float:
        return sum(loss(torch.Generator().manual_seed(seed)).item() for seed in range(4)) / 4

    before, draws = measured(), torch.Generator().manual_seed(8)
    optimiser = torch.optim.AdamW([p for p in decoder.parameters() if p.requires_grad], weight_decay=0)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss(draws).backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        rates.step()
    assert before > 0.9
    assert measured() < before / 10
