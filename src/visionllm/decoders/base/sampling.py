"""From noise to latents, guided and step by step: how pictures are made."""

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


class Sampling:
    """M pictures on their way from noise to latents, which a `look` and a `step` in turn bring forward.

    Args:
        stepper: A fresh one.
        noise: float[M, C, h, w], normal with deviation 1.
        guides: Of the same M pictures; one without weight costs nothing.
        generators: One a picture, for schedulers that add noise on the way.

    Attributes:
        latents: float[M, C, h, w].
        taken: Steps that were taken.
        steps: Steps in all; some schedulers look twice a step.

    Source: classifier-free guidance, arXiv:2207.12598; with a picture, InstructPix2Pix, arXiv:2211.09800, section 3.2.
    """

    def __init__(
        self, stepper: Stepper, noise: Tensor, guides: Sequence[Guide], generators: Sequence[torch.Generator]
    ) -> None:
        self.stepper, self.generators = stepper, generators
        counted = [guide for guide in guides if guide.weight]
        self.weights = [guide.weight for guide in counted]
        self.states = torch.cat([guide.states for guide in counted])
        self.context = torch.cat([guide.context for guide in counted])
        self.latents = stepper.start(noise)
        self.taken, self.steps = 0, len(stepper.timesteps)

    @property
    def timestep(self) -> Tensor:
        """Float or int []. The step that comes next."""
        return self.stepper.timesteps[self.taken]

    @property
    def seen(self) -> Tensor:
        """float[G·M, C', h, w]. What the U-Net sees next, guide by guide."""
        latents = self.stepper.scaled(self.latents, self.timestep).repeat(len(self.weights), 1, 1, 1)
        return torch.cat([latents, self.context], 1)

    def step(self, found: Tensor) -> None:
        """Take a step.

        Args:
            found: float[G·M, C, h, w]. What the U-Net predicted.
        """
        parts = found.chunk(len(self.weights))
        guided = torch.stack([w * p for w, p in zip(self.weights, parts, strict=True)]).sum(0)
        self.latents = self.stepper.step(guided, self.timestep, self.latents, self.generators)
        self.taken += 1


def look(unet: nn.Module, samplings: Sequence[Sampling]) -> list[Tensor]:
    """Let the U-Net look once at pictures of one size, each at its own step; nothing changes yet.

    Args:
        unet: As `build_unet` makes it.
        samplings: At least one; none is done.

    Returns:
        float[G·M, C, h, w] for each, what `Sampling.step` takes.
    """
    seen = [sampling.seen for sampling in samplings]
    counts = [len(latents) for latents in seen]
    times = [s.timestep.expand(count) for s, count in zip(samplings, counts, strict=True)]
    states = torch.cat([sampling.states for sampling in samplings])
    return list(remove_noise(unet, torch.cat(seen), torch.cat(times), states).split(counts))
