"""The detection decoder: query groups and pixels to boxes and masks."""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from visionllm.config.detection import DetectionConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.grounded import GroundedDecoder, decoder_sizes
from visionllm.decoders.detection.criterion import DetectionCriterion
from visionllm.decoders.detection.outputs import DetectionOutputs, Prediction
from visionllm.decoders.detection.postprocess import class_maps, detections
from visionllm.nn.decoder import DeformableDecoder, Memory
from visionllm.nn.denoising import NoisyQueries
from visionllm.nn.mlp import MLP
from visionllm.nn.pixel_decoder import PixelDecoder
from visionllm.nn.pyramid import Pyramid
from visionllm.ops.draws import Draws
from visionllm.types.requests import Options
from visionllm.types.results import Detections
from visionllm.types.tensors import DetectionTargets, ImageBatch, Queries, Route


class DetectionDecoder(GroundedDecoder[DetectionTargets, DetectionConfig]):
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
        super().__init__(config, query_width, quirks, pixel_stage=config.pixel_stage)
        width = config.width
        self.decoder = DeformableDecoder(decoder_sizes(config, self.eps))
        self.pixel_decoder = PixelDecoder(self.pyramid.backbone.channels[config.pixel_stage], width, config.mask_width)
        self.mask_head = MLP([width, width, width, config.mask_width])
        self.proposal_mask_head = MLP([width, width, width, config.mask_width])
        self.object_queries = self._learned_queries()
        self.criterion = DetectionCriterion(config, self.quirks)

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
        memory = self._read(text, queries.mask, pyramid)
        return self._decode(memory, pyramid, queries.mask, noise)

    def _pixel_mask(self, images: ImageBatch) -> Tensor:
        """Return bool[N, H, W], True on the pixels that count as real."""
        return images.pixel_values[:, 0] != 0 if self.quirks.pixel_mask_from_values else images.pixel_mask

    def _decode(
        self, memory: Memory, pyramid: Pyramid, text_mask: Tensor, noise: NoisyQueries | None
    ) -> DetectionOutputs:
        """Choose object queries and refine them."""
        start = self._start(memory, pyramid, text_mask, self.object_queries)
        first, valid = start.encoder.boxes, start.encoder.valid
        encoder = Prediction(**vars(start.encoder), masks=self.proposal_mask_head(start.states))
        x, boxes, visible, noisy_count = start.content, first.detach(), None, 0
        if noise is not None:
            x, boxes = torch.cat([noise.content, x], 1), torch.cat([noise.boxes.sigmoid(), boxes], 1)
            visible, noisy_count = noise.visible(first.shape[1]), noise.content.shape[1]
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
            tokens=start.tokens,
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
        self._check_targets(targets, queries.mask)
        if not len(queries):
            return {}
        draws = Draws(generator)
        terms = self.criterion(self(queries, images, targets, draws), targets, draws)
        return {name: value * self.criterion.weight(name) for name, value in terms.items()}

    @torch.no_grad()
    def decode(self, queries: Queries, images: ImageBatch, options: Options) -> list[Detections]:
        """Return one result per unit, in pixels of the original image; see `Options` for thresholds."""
        if not len(queries):
            return []
        return detections(
            self(queries, images),
            queries,
            images.select(queries.images),
            options,
            options.lowest_score(self.config.threshold),
            past_border=self.quirks.boxes_past_border,
        )

    @torch.no_grad()
    def decode_maps(self, queries: Queries, images: ImageBatch) -> list[tuple[Tensor, Tensor]]:
        """Return for each unit the query group of every pixel and its score; all object queries say their part.

        Returns:
            int[H, W] and float[H, W] at the size of the original picture; see `semantic_map`.
        """
        return class_maps(self(queries, images), images.select(queries.images)) if len(queries) else []

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
