"""From the states of super-link slots to the states that a U-Net reads in the place of words."""

import torch
from torch import Tensor, nn
from torch.nn import Parameter, init

from visionllm.nn.projector import Projector, ProjectorConfig


class QueryMapper(nn.Module):
    """Learned queries that read projected slots; any number of slots gives the same number of states.

    Args:
        query_width: Width of the slots' states.
        width: Width of the mapped states.
        tokens: Number of mapped states.
        encoder_layers: Layers among the slots.
        decoder_layers: Layers of the learned queries.
        heads: Attention heads.
        ffn: Hidden width of the feed-forward blocks.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2.

    >>> import torch
    >>> QueryMapper(query_width=8, width=16, tokens=5, heads=2, ffn=8)(torch.zeros(2, 4, 8)).shape
    torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        *,
        query_width: int,
        width: int,
        tokens: int,
        encoder_layers: int = 1,
        decoder_layers: int = 1,
        heads: int = 8,
        ffn: int = 3072,
    ) -> None:
        super().__init__()
        self.projection = Projector(ProjectorConfig(kind="mlp2x_gelu"), query_width, width)
        self.queries = Parameter(init.normal_(torch.empty(1, tokens, width), std=0.02))
        sizes = {"nhead": heads, "dim_feedforward": ffn, "dropout": 0.0, "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(width, **sizes)
        # the default warns that layers which normalise first cannot take its shortcut
        encoder = nn.TransformerEncoder(layer, encoder_layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.transformer = nn.Transformer(width, num_decoder_layers=decoder_layers, custom_encoder=encoder, **sizes)

    def forward(self, slots: Tensor) -> Tensor:
        """Map float[M, Q, query width] to float[M, tokens, width]."""
        return self.transformer(self.projection(slots), self.queries.expand(len(slots), -1, -1))
