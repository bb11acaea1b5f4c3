"""The VAE of the decoders that make pictures, as an expert: small pictures of the world and back."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from visionllm.data.world import draw_picture
from visionllm.nn.diffusion import decode, encode

SHARES: Mapping[str, float] = {"studio": 0.7, "mixed": 0.2, "figures": 0.1}
"""Share of each theme among the pictures; the studio's are those that will be made and edited."""


class PictureCoder(nn.Module):
    """A VAE by itself.

    Args:
        vae: As `visionllm.nn.diffusion.build_vae` makes it.
    """

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor) -> Tensor:
        """Return float[B, 3, H, W], what is left of pictures in [−1, 1] after the way there and back."""
        return decode(self.vae, encode(self.vae, pixels).mean)


class VaeObjective:
    """Give pictures back, by differences of pixels and of edges; latents stay near a normal distribution.

    Args:
        size_hw: (height, width) of the pictures.
        pictures: Pictures a batch.
        seed: Index of the first picture in the training split, in units of 10⁸.
        photos: Draw on photo backgrounds too.
        spread: Weight of the Kullback–Leibler divergence of a latent from the standard normal distribution.
    """

    def __init__(
        self, *, size_hw: tuple[int, int], pictures: int, seed: int, photos: bool = True, spread: float = 1e-4
    ) -> None:
        self.size_hw, self.pictures, self.seed, self.photos, self.spread = size_hw, pictures, seed, photos, spread

    def batch(self, index: int) -> Tensor:
        """Make the batch of step `index`: float[B, 3, H, W] in [−1, 1]."""
        return self._batch("train", self.seed * 10**8 + index * self.pictures)

    def _batch(self, split: str, first: int) -> Tensor:
        drawn = []
        for number in range(first, first + self.pictures):
            rng = np.random.default_rng([self.seed, number])
            theme = str(rng.choice(list(SHARES), p=list(SHARES.values())))
            straight = bool(rng.random() < 0.5)
            size_hw = self.size_hw if straight else None
            picture = draw_picture(
                number, split=split, version=2, theme=theme, photos=self.photos, size_hw=size_hw, vary_size=False
            )
            drawn.append(fitted(picture.pixels, self.size_hw))
        return signed(np.stack(drawn))

    def losses(self, module: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """Return the losses of pixels, edges and spread."""
        if not isinstance(module, PictureCoder):
            raise TypeError(f"expected a PictureCoder, got {type(module).__name__}")
        batch = batch.contiguous(memory_format=torch.channels_last)
        found = encode(module.vae, batch)
        made = decode(module.vae, found.mean + found.deviation * torch.randn_like(found.mean))
        variance = found.deviation.square()
        divergence = 0.5 * (found.mean.square() + variance - 1 - variance.log())
        edges = sum(F.l1_loss(made.diff(dim=axis), batch.diff(dim=axis)) for axis in (2, 3))
        return {
            "pixels": F.l1_loss(made, batch) + 8 * F.mse_loss(made, batch),
            "edges": 0.5 * torch.as_tensor(edges),
            "spread": self.spread * divergence.mean(),
        }

    @torch.no_grad()
    def scores(self, module: nn.Module, pictures: int = 192) -> Mapping[str, float]:
        """Return the peak signal-to-noise ratio in dB and the latents' standard deviation, on the validation split."""
        if not isinstance(module, PictureCoder):
            raise TypeError(f"expected a PictureCoder, got {type(module).__name__}")
        errors, latents = [], []
        for first in range(0, pictures, self.pictures):
            batch = self._batch("validation", first)
            latents.append(encode(module.vae, batch).mean)
            made = decode(module.vae, latents[-1]).clamp(-1, 1)
            errors.append((made - batch).square().mean((1, 2, 3)) / 4)
        return {
            "psnr": float(-10 * torch.cat(errors).clamp_min(1e-10).log10().mean()),
            "deviation": float(torch.cat(latents).std()),
        }


def fitted(pixels: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize a picture whole, as it is: uint8[H, W, 3]; ratios may change."""
    if pixels.shape[:2] == size_hw:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size_hw[1], size_hw[0]), Image.Resampling.BICUBIC))


def signed(pixels: NDArray[np.uint8]) -> Tensor:
    """Return float[B, 3, H, W] in [−1, 1] of pictures uint8[B, H, W, 3]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
