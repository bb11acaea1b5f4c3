"""From noise to latents, guided: the loop that makes pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visionllm.nn.diffusion import Stepper, remove_noise


@dataclass(frozen=True, kw_only=True, eq=False)
class Guide:
    """One way to look at M pictures, and how much it counts.

    Attributes:
        weight: Share of its prediction in the sum; the weights of all guides add up to 1.
        states: float[M, tokens, width]. What the U-Net reads in the place of words.
        context: float[M, C, h, w]. Latents of pictures that the U-Net sees beside the noisy ones; C may be 0.
    """

    weight: float
    states: Tensor
    context: Tensor


def sample(
    unet: nn.Module,
    stepper: Stepper,
    noise: Tensor,
    guides: Sequence[Guide],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Remove noise step by step; a guide without weight costs nothing.

    Args:
        unet: As `build_unet` makes it.
        stepper: A fresh one.
        noise: float[M, C, h, w], normal with deviation 1.
        guides: Of the same M pictures.
        generators: One a picture, for schedulers that add noise on the way.

    Returns:
        float[M, C, h, w].

    Source: classifier-free guidance, arXiv:2207.12598; with a picture, InstructPix2Pix, arXiv:2211.09800, section 3.2.
    """
    counted = [guide for guide in guides if guide.weight]
    states = torch.cat([guide.states for guide in counted])
    context = torch.cat([guide.context for guide in counted])
    latents = stepper.start(noise)
    for timestep in stepper.timesteps:
        seen = stepper.scaled(latents, timestep).repeat(len(counted), 1, 1, 1)
        found = remove_noise(unet, torch.cat([seen, context], 1), timestep, states).chunk(len(counted))
        guided = torch.stack([g.weight * p for g, p in zip(counted, found, strict=True)]).sum(0)
        latents = stepper.step(guided, timestep, latents, generators)
    return latents
