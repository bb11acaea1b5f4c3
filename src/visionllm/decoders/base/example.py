"""Tiny settings and a batch for the decoders that make pictures."""

import torch

from visionllm.config.diffusion import DiffusionConfig
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries


def tiny_diffusion() -> DiffusionConfig:
    """Return a generation decoder of a few ten thousand parameters, with a text encoder."""
    return DiffusionConfig(
        unet={
            "sample_size": 8,
            "in_channels": 4,
            "cross_attention_dim": 16,
            "block_out_channels": [8, 16],
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            "layers_per_block": 1,
            "attention_head_dim": 4,
            "norm_num_groups": 4,
        },
        vae={
            "sample_size": 16,
            "latent_channels": 4,
            "block_out_channels": [8, 16],
            "down_block_types": ["DownEncoderBlock2D"] * 2,
            "up_block_types": ["UpDecoderBlock2D"] * 2,
            "layers_per_block": 1,
            "norm_num_groups": 4,
        },
        text={
            "model_type": "clip_text_model",
            "vocab_size": 20,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 6,
        },
        frozen=("vae.*", "text_encoder.*"),
        tokens=6,
        heads=4,
        ffn=16,
        caption_start_id=18,
        caption_end_id=19,
        caption_pad_id=19,
        picture_hw=(16, 24),
        steps=2,
    )


def picture_example(token: str) -> tuple[Queries, ImageBatch, list[PictureTargets]]:
    """Return three units about two pictures with what should be made of them; the second has two query groups.

    Args:
        token: The routing token of all groups.
    """
    generator = torch.Generator().manual_seed(0)
    size_hw = torch.tensor([[32, 48], [48, 32]])
    real = torch.tensor([[16, 24], [24, 16]])
    mask = torch.zeros(2, 24, 24, dtype=torch.bool)
    for row, (height, width) in zip(mask, real.tolist(), strict=True):
        row[:height, :width] = True
    images = ImageBatch(
        pixel_values=torch.randn(2, 3, 24, 24, generator=generator) * mask[:, None],
        pixel_mask=mask,
        sizes_hw=size_hw,
        resized_hw=real,
    )
    groups = torch.tensor([[True, False], [True, True], [True, False]])
    queries = Queries(
        states=torch.randn(3, 2, 4, 16, generator=generator) * groups[:, :, None, None],
        mask=groups,
        images=torch.tensor([0, 1, 1]),
        rows=torch.tensor([0, 1, 1]),
        turns=torch.tensor([1, 1, 2]),
        positions=torch.where(groups, torch.tensor([5, 12]), -1),
        routes=((token,), (token, token), (token,)),
    )
    targets = [
        PictureTargets(
            pictures=torch.rand(count, 3, 16, 24, generator=generator) * 2 - 1,
            caption_ids=torch.tensor([[18, 3 + count, 7, 19, 19, 19]] * count),
        )
        for count in groups.sum(1).tolist()
    ]
    return queries, images, targets
