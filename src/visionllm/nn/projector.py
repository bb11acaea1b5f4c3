"""From the vision encoder's features to the language model's embeddings."""

import re
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig:
    """Which projector.

    Attributes:
        kind: `"linear"`; `"mlpNx_gelu"`, N linear layers with a GELU between each two; or `"internvl_mlp"`, a
            normalisation and two linear layers.
    """

    kind: str = "mlp2x_gelu"

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "internvl_mlp") and not re.fullmatch(r"mlp[1-9]\d*x_gelu", self.kind):
            raise ValueError(f"expected kind linear, mlpNx_gelu or internvl_mlp, got {self.kind!r}")


class Projector(nn.Module):
    """Maps features to embeddings.

    Args:
        config: Which projector.
        vision_width: Width of the features, after any pixel shuffle.
        output_width: Width D of the embeddings.

    >>> import torch
    >>> Projector(ProjectorConfig(), 8, 16)(torch.zeros(1, 4, 8)).shape
    torch.Size([1, 4, 16])
    """

    def __init__(self, config: ProjectorConfig, vision_width: int, output_width: int) -> None:
        super().__init__()
        self.layers = _layers(config.kind, vision_width, output_width)

    def forward(self, features: Tensor) -> Tensor:
        """Map float[..., vision width] to float[..., D]."""
        return self.layers(features)


def _layers(kind: str, vision_width: int, width: int) -> nn.Module:
    """Return the layers; their indices are those of the published `nn.Sequential`s."""
    if kind == "linear":
        return nn.Linear(vision_width, width)
    if kind == "internvl_mlp":
        return nn.Sequential(
            nn.LayerNorm(vision_width), nn.Linear(vision_width, width), nn.GELU(), nn.Linear(width, width)
        )
    layers: list[nn.Module] = [nn.Linear(vision_width, width)]
    for _ in range(int(kind.removeprefix("mlp").removesuffix("x_gelu")) - 1):
        layers += [nn.GELU(), nn.Linear(width, width)]
    return nn.Sequential(*layers)
