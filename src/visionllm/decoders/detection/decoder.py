"""The detection decoder: query groups and pixels to boxes and masks."""

import math
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from visionllm.config.detection import DetectionConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base import Decoder
from visionllm.decoders.detection.criterion import DetectionCriterion
from visionllm.decoders.detection.outputs import DetectionOutputs, Prediction, TokenPrediction
from visionllm.decoders.detection.postprocess import detections
from visionllm.nn.decoder import DecoderSizes, DeformableDecoder, Memory
from visionllm.nn.denoising import NoisyQueries, NoisySettings, noisy_queries
from visionllm.nn.encoder import EncoderContext, EncoderSizes, FusionEncoder
from visionllm.nn.mlp import MLP
from visionllm.nn.pixel_decoder import PixelDecoder
from visionllm.nn.position import sine_embedding
from visionllm.nn.proposals import ProposalHead, best_tokens
from visionllm.nn.pyramid import FeaturePyramid, Pyramid
from visionllm.ops.draws import Draws
from visionllm.types.requests import Options
from visionllm.types.results import Detections
from visionllm.types.tensors import DetectionTargets, ImageBatch, Queries, Route

RARE = 0.01


class DetectionDecoder(Decoder[DetectionTargets]):
    """Finds the objects that query groups ask for: a Grounding-DINO detector with masks.

    Args:
        config: Sizes and choices.
        query_width: Width of the super-link queries.
        quirks: Published faults to reproduce.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2; Grounding DINO, arXiv:2303.05499.
    """

    routes: ClassVar[tuple[Route, ...]] = tuple(
        Route(token=token, table="det", decoder="detection") for token in ("[DET]", "[GRD]", "[SEG]")
    )

    def __init__(self, config: DetectionConfig, query_width: int, quirks: Quirks | None = None) -> None:
        super().__init__()
        self.config = config
        self.quirks = quirks or Quirks()
        width = config.width
        self.pyramid = FeaturePyramid(
            config.backbone,
            pixel_stage=config.pixel_stage,
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
        self.decoder = DeformableDecoder(_decoder_sizes(config))
        self.pixel_decoder = PixelDecoder(self.pyramid.backbone.channels[config.pixel_stage], width, config.mask_width)
        self.mask_head = MLP([width, width, width, config.mask_width])
        self.proposal_mask_head = MLP([width, width, width, config.mask_width])
        self.object_queries = nn.Embedding(config.object_queries, width) if config.query_content == "learned" else None
        scaled = config.contrast == "scaled"
        self.contrast_scale = 1 / math.sqrt(width) if scaled else 1.0
        self.contrast_bias = nn.Parameter(torch.tensor(math.log(RARE / (1 - RARE)))) if scaled else None
        self.criterion = DetectionCriterion(config, self.quirks)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters; queries and pixels are brought to it."""
        return self.pyramid.level_embedding.dtype

    def forward(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[DetectionTargets] | None = None,
        draws: Draws | None = None,
    ) -> DetectionOutputs:
        """Decode U units.

        Args:
            queries: The units.
            images: The pictures the units name; the backbone runs once a picture, however many units share it.
            targets: What should be found; in training, denoising queries are made from it.
            draws: The denoising queries' random numbers.

        Raises:
            ValueError: If a unit names a picture that is not there.
        """
        text = self.query_projection(queries.states.to(self.dtype)).mean(2)
        pyramid = self._see(queries.images, images)
        noise = None
        if self.training and targets is not None and self.config.denoise_queries:
            noise = self._noisy_queries(text, queries.mask, targets, draws or Draws())
        seen = queries.mask | ~queries.mask.any(
            1, keepdim=True
        )  # a unit without groups must not turn the batch into NaN
        context = EncoderContext(
            positions=pyramid.positions,
            references=pyramid.centres[:, :, None] * pyramid.real_share[:, None],
            mask=pyramid.mask,
            shapes=pyramid.shapes,
            text_positions=self._group_positions(queries.mask),
            text_mask=seen,
            text_visible=self._group_visibility(queries.mask),
        )
        vision, read = self.encoder(pyramid.tokens, text, context)
        memory = Memory(
            vision=vision,
            mask=pyramid.mask,
            shapes=pyramid.shapes,
            real_share=pyramid.real_share,
            finest_share=pyramid.real_wh[:, 0] / pyramid.finest_hw.flip(1),
            text=read,
            text_mask=seen,
        )
        return self._decode(memory, pyramid, queries.mask, noise)

    def _see(self, index: Tensor, images: ImageBatch) -> Pyramid:
        """Return the feature pyramid of each unit's picture."""
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(images):
            raise ValueError(f"expected picture indices in 0..{len(images) - 1}, got {index.tolist()}")
        named, place = torch.unique(index, return_inverse=True)
        chosen = images.select(named)
        mask = chosen.pixel_values[:, 0] != 0 if self.quirks.pixel_mask_from_values else chosen.pixel_mask
        pyramid = self.pyramid(
            ImageBatch(
                pixel_values=chosen.pixel_values.to(self.dtype),
                pixel_mask=mask,
                sizes_hw=chosen.sizes_hw,
                resized_hw=chosen.resized_hw,
            )
        )
        same = torch.equal(place, torch.arange(len(named), device=place.device))
        return pyramid if same else pyramid.select(place)

    def _noisy_queries(
        self, text: Tensor, text_mask: Tensor, targets: Sequence[DetectionTargets], draws: Draws
    ) -> NoisyQueries | None:
        """Make the denoising queries of a training step."""
        settings = NoisySettings(
            queries=self.config.denoise_queries,
            label_noise=self.config.denoise_label_noise,
            box_noise=self.config.denoise_box_noise,
            flip_to_padding=self.quirks.denoise_flip_to_padding,
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

    def _decode(
        self, memory: Memory, pyramid: Pyramid, text_mask: Tensor, noise: NoisyQueries | None
    ) -> DetectionOutputs:
        """Choose object queries and refine them."""
        proposals = self.proposals(memory.vision, pyramid)
        token_logits = self._classify(proposals.states, memory.text, text_mask)
        index, valid = best_tokens(token_logits.detach().amax(-1), proposals.usable, self.config.object_queries)

        def chosen(x: Tensor) -> Tensor:
            return x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))

        first = chosen(proposals.boxes).sigmoid()
        states = chosen(proposals.states)
        content = states.detach()
        if self.object_queries is not None:
            content = states = self.object_queries.weight.expand(len(index), -1, -1)
        encoder = Prediction(
            logits=chosen(token_logits).masked_fill(~valid.unsqueeze(-1), -torch.inf),
            boxes=first,
            masks=self.proposal_mask_head(states),
            valid=valid,
        )
        x, boxes, visible, noisy_count = content, first.detach(), None, 0
        if noise is not None:
            x, boxes = torch.cat([noise.content, x], 1), torch.cat([noise.boxes.sigmoid(), boxes], 1)
            visible, noisy_count = noise.visible(index.shape[1]), noise.content.shape[1]
            valid = nn.functional.pad(valid, (noisy_count, 0), value=True)
        states_by_layer, boxes_by_layer, guides = self.decoder(x, boxes, memory, visible)
        layers = [
            Prediction(
                logits=self._classify(s, memory.text, text_mask).masked_fill(~valid.unsqueeze(-1), -torch.inf),
                boxes=b,
                masks=self.mask_head(s),
                valid=valid,
            )
            for s, b in zip(states_by_layer, boxes_by_layer, strict=True)
        ]
        return DetectionOutputs(
            layers=tuple(_part(p, noisy_count, None) for p in layers),
            encoder=encoder,
            tokens=TokenPrediction(logits=token_logits, centres=pyramid.centres, mask=proposals.usable),
            noisy=() if noise is None else tuple(_part(p, 0, noisy_count) for p in layers),
            noise=noise,
            text_mask=text_mask,
            mask_features=self.pixel_decoder(memory.vision, pyramid),
            pixels_hw=pyramid.pixels_hw,
            stride=pyramid.stride,
            states=tuple(s[:, noisy_count:] for s in states_by_layer),
            guides=tuple(g[:, noisy_count:] for g in guides),
            first_boxes=first,
            vision=memory.vision,
            text=memory.text,
        )

    def loss(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[DetectionTargets],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Return float[] scalars, one per loss term, already weighted.

        Args:
            queries: U units; without any there are no terms.
            images: The pictures the units name.
            targets: One a unit.
            generator: Source of the denoising noise and the mask points; None means torch's global one.

        Raises:
            ValueError: If there is not one target a unit, or a truth names a query group that is not there.
        """
        if len(targets) != len(queries):
            raise ValueError(f"expected {len(queries)} targets, one per unit, got {len(targets)}")
        if not len(queries):
            return {}
        for target, mask in zip(targets, queries.mask, strict=True):
            if not torch.isin(target.class_ids, mask.nonzero()).all():
                found = target.class_ids.tolist()
                raise ValueError(
                    f"expected class ids of real query groups, {mask.nonzero().flatten().tolist()}, got {found}"
                )
        draws = Draws(generator)
        terms = self.criterion(self(queries, images, targets, draws), targets, draws)
        return {name: value * self.criterion.weight(name) for name, value in terms.items()}

    @torch.no_grad()
    def decode(self, queries: Queries, images: ImageBatch, options: Options) -> list[Detections]:
        """Return one result per unit, in pixels of the original image; see `Options` for thresholds."""
        if not len(queries):
            return []
        threshold = self.config.threshold if options.threshold is None else options.threshold
        return detections(self(queries, images), queries, images.select(queries.images), options, threshold)

    @classmethod
    def example(cls) -> tuple[Self, Queries, ImageBatch, list[DetectionTargets]]:
        """Return a tiny decoder with three units about two pictures, one of them without truth."""
        generator = torch.Generator().manual_seed(0)
        images = ImageBatch(
            pixel_values=torch.rand(2, 3, 64, 96, generator=generator),
            pixel_mask=torch.ones(2, 64, 96, dtype=torch.bool),
            sizes_hw=torch.tensor([[128, 192], [32, 48]]),
            resized_hw=torch.tensor([[64, 96], [64, 96]]),
        )
        mask = torch.tensor([[True, True], [True, False], [True, True]])
        queries = Queries(
            states=torch.randn(3, 2, 4, 16, generator=generator) * mask[:, :, None, None],
            mask=mask,
            images=torch.tensor([0, 0, 1]),
            rows=torch.tensor([0, 0, 1]),
            turns=torch.tensor([1, 2, 1]),
            positions=torch.where(mask, torch.tensor([5, 12]), -1),
            routes=(("[DET]", "[DET]"), ("[GRD]",), ("[SEG]", "[DET]")),
        )
        square = torch.zeros(1, 64, 96, dtype=torch.bool)
        square[:, 16:48, 24:72] = True
        nothing = DetectionTargets(boxes=torch.zeros(0, 4), class_ids=torch.zeros(0, dtype=torch.long))
        target = DetectionTargets(boxes=torch.tensor([[0.5, 0.5, 0.5, 0.5]]), class_ids=torch.tensor([0]), masks=square)
        return cls(_tiny(), 16), queries, images, [target, nothing, target]


def _part(prediction: Prediction, start: int, stop: int | None) -> Prediction:
    """Return the queries from `start` to `stop`."""
    return Prediction(
        logits=prediction.logits[:, start:stop],
        boxes=prediction.boxes[:, start:stop],
        masks=prediction.masks[:, start:stop],
        valid=prediction.valid[:, start:stop],
    )


def _encoder_sizes(config: DetectionConfig) -> EncoderSizes:
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


def _decoder_sizes(config: DetectionConfig) -> DecoderSizes:
    return DecoderSizes(
        layers=config.decoder_layers,
        width=config.width,
        levels=config.levels,
        points=config.decoder_points,
        heads=config.heads,
        ffn=config.decoder_ffn,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
    )


def _tiny() -> DetectionConfig:
    return DetectionConfig(
        backbone={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 24, 32],
            "depths": [1, 1, 1],
            "layer_type": "basic",
            "out_features": ["stage1", "stage2", "stage3"],
        },
        width=32,
        levels=2,
        encoder_layers=1,
        decoder_layers=2,
        heads=4,
        text_heads=2,
        encoder_ffn=32,
        decoder_ffn=32,
        text_ffn=32,
        fusion_width=32,
        mask_width=16,
        object_queries=10,
        mask_points=32,
        denoise_queries=4,
    )
