"""Features for masks, at the resolution of the backbone's finest map."""

import torch.nn.functional as F
from torch import Tensor, nn

from visionllm.nn.canvases import canvas_groups, paste
from visionllm.nn.norms import MapNorm
from visionllm.nn.pyramid import Pyramid


class PixelDecoder(nn.Module):
    """Joins the encoder's finest level with the backbone's finest map.

    Args:
        channels: Width of the backbone's map.
        width: Width D of the encoder.
        mask_width: Width of the features.

    Source: MaskDINO, arXiv:2206.02777, section 3.3.
    """

    def __init__(self, channels: int, width: int, mask_width: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(channels, width, 1, bias=False)
        self.lateral_norm = MapNorm(width)
        self.smooth = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.smooth_norm = MapNorm(width)
        self.output = nn.Conv2d(width, mask_width, 1)
        for conv in (self.lateral, self.smooth, self.output):
            nn.init.kaiming_uniform_(conv.weight, a=1)
        nn.init.zeros_(self.output.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, memory: Tensor, pyramid: Pyramid) -> Tensor:
        """Return the mask features.

        Args:
            memory: float[B, S, D]. The encoder's tokens.
            pyramid: The pictures they come from.

        Returns:
            float[B, M, h, w], as large as `pyramid.pixels`; zero outside of each picture's own canvas.
        """
        h, w = pyramid.shapes[0]
        finest = memory[:, : h * w].transpose(1, 2).unflatten(2, (h, w))
        groups = canvas_groups(pyramid.pixels_hw)
        if len(groups) == 1:
            return self._features(finest, pyramid.pixels)
        parts = []
        for rows, (height, width) in groups:
            own_h, own_w = pyramid.finest_hw[rows[0]].tolist()
            parts.append(self._features(finest[rows, :, :own_h, :own_w], pyramid.pixels[rows, :, :height, :width]))
        return paste(parts, groups)

    def _features(self, finest: Tensor, pixels: Tensor) -> Tensor:
        """Return the mask features of pictures of one canvas size."""
        upper = F.interpolate(finest, size=pixels.shape[2:], mode="bilinear", align_corners=False)
        joined = self.lateral_norm(self.lateral(pixels)) + upper
        return self.output(F.relu(self.smooth_norm(self.smooth(joined))))
