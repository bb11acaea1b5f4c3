"""Any Hugging Face backbone."""

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn
from transformers import AutoBackbone, AutoConfig

from visionllm.config.strict import check_pretrained


class Backbone(nn.Module):
    """A convolutional or transformer network that gives feature maps of several strides.

    Args:
        config: Hugging Face configuration; `model_type` chooses the network, `out_features` its stages.
        freeze_norm: Keep batch norms on their running statistics during training.

    Raises:
        ValueError: If the configuration has a key that its model type does not know, or one that chooses code.
    """

    def __init__(self, config: Mapping[str, Any], *, freeze_norm: bool = True) -> None:
        super().__init__()
        check_pretrained(config, "backbone")
        settings = dict(config)
        self.network = AutoBackbone.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
        self._drop_unused_norm()
        self.stages: tuple[str, ...] = tuple(self.network.out_features)
        self.channels: dict[str, int] = dict(zip(self.stages, self.network.channels, strict=True))
        self.freeze_norm = freeze_norm
        self.train(self.training)

    def _drop_unused_norm(self) -> None:
        """Remove the last normalisation of Swin, whose output no stage uses: it would never get a gradient."""
        swin = getattr(self.network, "swin", None)
        if swin is not None:
            swin.layernorm = nn.Identity()

    def train(self, mode: bool = True) -> Self:
        """Switch training on or off; frozen batch norms stay off."""
        super().train(mode)
        if self.freeze_norm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        """Return float[B, C, h, w] of every stage for float[B, 3, H, W]."""
        return dict(zip(self.stages, self.network(pixel_values).feature_maps, strict=True))
