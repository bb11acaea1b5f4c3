"""What the decoders share that find objects: pictures and query groups read each other, and object queries start."""

import math
from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from visionllm.config.grounding import GroundingConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.checks import check_pictures, check_target_count
from visionllm.decoders.base.contract import Decoder
from visionllm.decoders.base.outputs import BoxPrediction, ObjectQueries, TokenPrediction
from visionllm.nn.decoder import DecoderSizes, Memory
from visionllm.nn.denoising import NoisyQueries, NoisySettings, noisy_queries
from visionllm.nn.encoder import EncoderContext, EncoderSizes, FusionEncoder
from visionllm.nn.mlp import MLP
from visionllm.nn.position import sine_embedding
from visionllm.nn.proposals import ProposalHead, best_tokens
from visionllm.nn.pyramid import FeaturePyramid, Pyramid
from visionllm.ops.draws import Draws
from visionllm.types.tensors import BoxTargets, ImageBatch

RARE = 0.01

ConfigT = TypeVar("ConfigT", bound=GroundingConfig)
TargetT = TypeVar("TargetT", bound=BoxTargets)


class GroundedDecoder(Decoder[TargetT], ABC, Generic[TargetT, ConfigT]):
    """A decoder whose encoder reads pixels beside query groups, and whose object queries start at its best tokens.

    Args:
        config: Sizes and choices.
        query_width: Width of the super-link queries.
        quirks: Published faults to reproduce.
        pixel_stage: The backbone stage that the encoder does not read, if any.
        eps: Clamp of the inverse sigmoid of boxes.

    Source: Grounding DINO, arXiv:2303.05499.
    """

    reads: ClassVar[tuple[str, ...] | None] = (
        "protocol",
        "threshold",
        "candidates",
        "nms_iou",
        "max_instances",
        "max_per_class",
        "min_per_class",
        "masks",
    )

    def __init__(
        self,
        config: ConfigT,
        query_width: int,
        quirks: Quirks | None,
        *,
        pixel_stage: str | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.config = config
        self.quirks = quirks or Quirks()
        self.eps = eps
        width = config.width
        self.pyramid = FeaturePyramid(
            config.backbone,
            pixel_stage=pixel_stage,
            width=width,
            levels=config.levels,
            size_divisor=config.size_divisor,
            temperature=config.position_temperature,
            freeze_norm=config.freeze_norm,
            share_canvas=self.quirks.padding_seen_by_networks,
        )
        self.query_projection = MLP([query_width, width, width, width])
        self.encoder = FusionEncoder(_encoder_sizes(config))
        self.proposals = ProposalHead(width)
        scaled = config.contrast == "scaled"
        self.contrast_scale = 1 / math.sqrt(width) if scaled else 1.0
        self.contrast_bias = nn.Parameter(torch.tensor(math.log(RARE / (1 - RARE)))) if scaled else None

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters; queries and pixels are brought to it."""
        return self.pyramid.level_embedding.dtype

    def _learned_queries(self) -> nn.Embedding | None:
        """Return the learned content of the object queries, if the configuration asks for it."""
        config = self.config
        return nn.Embedding(config.object_queries, config.width) if config.query_content == "learned" else None

    def _see(self, index: Tensor, images: ImageBatch) -> Pyramid:
        """Return the feature pyramid of each unit's picture; the backbone runs once a picture.

        Raises:
            ValueError: If a unit names a picture that is not there.
        """
        check_pictures(index, images)
        named, place = torch.unique(index, return_inverse=True)
        chosen = images.select(named)
        pyramid = self.pyramid(
            ImageBatch(
                pixel_values=chosen.pixel_values.to(self.dtype),
                pixel_mask=self._pixel_mask(chosen),
                sizes_hw=chosen.sizes_hw,
                resized_hw=chosen.resized_hw,
            )
        )
        same = torch.equal(place, torch.arange(len(named), device=place.device))
        return pyramid if same else pyramid.select(place)

    def _pixel_mask(self, images: ImageBatch) -> Tensor:
        """Return bool[N, H, W], True on the pixels that count as real."""
        return images.pixel_mask

    def _read(self, text: Tensor, text_mask: Tensor, pyramid: Pyramid) -> Memory:
        """Let pixels and query groups float[U, K, D] read each other."""
        # a unit without groups must not turn the batch into NaN
        seen = text_mask | ~text_mask.any(1, keepdim=True)
        context = EncoderContext(
            positions=pyramid.positions,
            references=pyramid.centres[:, :, None] * pyramid.real_share[:, None],
            mask=pyramid.mask,
            shapes=pyramid.shapes,
            text_positions=self._group_positions(text_mask),
            text_mask=seen,
            text_visible=self._group_visibility(text_mask),
        )
        vision, read = self.encoder(pyramid.tokens, text, context)
        return Memory(
            vision=vision,
            mask=pyramid.mask,
            shapes=pyramid.shapes,
            real_share=pyramid.real_share,
            finest_share=pyramid.real_wh[:, 0] / pyramid.finest_hw.flip(1),
            text=read,
            text_mask=seen,
        )

    def _noisy_queries(
        self, text: Tensor, text_mask: Tensor, targets: Sequence[TargetT], draws: Draws
    ) -> NoisyQueries | None:
        """Make the denoising queries of a training step."""
        settings = NoisySettings(
            queries=self.config.denoise_queries,
            label_noise=self.config.denoise_label_noise,
            box_noise=self.config.denoise_box_noise,
            flip_to_padding=self.quirks.denoise_flip_to_padding,
            eps=self.eps,
        )
        boxes, class_ids = [t.boxes.float() for t in targets], [t.class_ids for t in targets]
        return noisy_queries(text, text_mask, boxes, class_ids, settings, draws)

    def _group_positions(self, mask: Tensor) -> Tensor:
        """Return float[U, K, D], the embedding of each query group's place among the real ones."""
        places = (mask.cumsum(1) - 1).masked_fill(~mask, 0)
        return sine_embedding(places.unsqueeze(-1).float(), self.config.width).to(self.dtype)

    def _group_visibility(self, mask: Tensor) -> Tensor:
        """Return bool[U, 1 or heads, K, K]: real groups see each other, a masked one only itself."""
        visible = mask[:, :, None] & mask[:, None]
        visible = visible | torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        if self.quirks.text_mask_head_order:
            heads = self.config.text_heads
            return visible.repeat(heads, 1, 1).view(len(mask), heads, *visible.shape[1:])
        return visible.unsqueeze(1)

    def _classify(self, states: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Return float[U, N, K], how well each state fits each query group."""
        logits = states @ text.transpose(1, 2) * self.contrast_scale
        if self.contrast_bias is not None:
            logits = logits + self.contrast_bias
        return logits.masked_fill(~text_mask[:, None], -torch.inf)

    def _start(
        self, memory: Memory, pyramid: Pyramid, text_mask: Tensor, learned: nn.Embedding | None
    ) -> ObjectQueries:
        """Choose the tokens where object queries start."""
        proposals = self.proposals(memory.vision, pyramid)
        token_logits = self._classify(proposals.states, memory.text, text_mask)
        index, valid = best_tokens(token_logits.detach().amax(-1), proposals.usable, self.config.object_queries)

        def chosen(x: Tensor) -> Tensor:
            return x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))

        states = chosen(proposals.states)
        content = states.detach()
        if learned is not None:
            content = states = learned.weight.expand(len(index), -1, -1)
        return ObjectQueries(
            content=content,
            states=states,
            encoder=BoxPrediction(
                logits=chosen(token_logits).masked_fill(~valid.unsqueeze(-1), -torch.inf),
                boxes=chosen(proposals.boxes).sigmoid(),
                valid=valid,
            ),
            tokens=TokenPrediction(logits=token_logits, centres=pyramid.centres, mask=proposals.usable),
        )

    def _check_targets(self, targets: Sequence[TargetT], text_mask: Tensor) -> None:
        """Refuse targets that don't belong to the units.

        Raises:
            ValueError: If there is not one target a unit, or a truth names a query group that is not there.
        """
        check_target_count(targets, len(text_mask))
        for target, mask in zip(targets, text_mask, strict=True):
            if not torch.isin(target.class_ids, mask.nonzero()).all():
                found = target.class_ids.tolist()
                raise ValueError(
                    f"expected class ids of real query groups, {mask.nonzero().flatten().tolist()}, got {found}"
                )


def _encoder_sizes(config: GroundingConfig) -> EncoderSizes:
    return EncoderSizes(
        layers=config.encoder_layers,
        width=config.width,
        levels=config.levels,
        points=config.encoder_points,
        heads=config.heads,
        ffn=config.encoder_ffn,
        text_heads=config.text_heads,
        text_ffn=config.text_ffn,
        fusion_width=config.fusion_width,
        dropout=config.dropout,
        text_dropout=config.text_dropout,
        fusion_dropout=config.fusion_dropout,
        fusion_drop_path=config.fusion_drop_path,
        layer_scale=config.layer_scale,
    )


def decoder_sizes(config: GroundingConfig, eps: float) -> DecoderSizes:
    """Return the sizes of the decoder layers."""
    return DecoderSizes(
        layers=config.decoder_layers,
        width=config.width,
        levels=config.levels,
        points=config.decoder_points,
        heads=config.heads,
        ffn=config.decoder_ffn,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        eps=eps,
    )
