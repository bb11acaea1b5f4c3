"""The pose decoder: query groups and pixels to boxes and keypoints."""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from visionllm.config.pose import PoseConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.grounded import GroundedDecoder, decoder_sizes
from visionllm.decoders.base.outputs import ObjectQueries
from visionllm.decoders.pose.criterion import PoseCriterion
from visionllm.decoders.pose.outputs import PoseOutputs, PosePrediction, asked
from visionllm.decoders.pose.postprocess import poses
from visionllm.nn.decoder import Memory
from visionllm.nn.denoising import NoisyQueries
from visionllm.nn.keypoints import KeypointDecoder, KeypointStage, group_visibility
from visionllm.nn.mlp import MLP
from visionllm.ops.draws import Draws
from visionllm.types.poses import Poses
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch, PoseTargets, Queries, Route

EPS = 1e-3


class PoseDecoder(GroundedDecoder[PoseTargets, PoseConfig]):
    """Finds the objects that `[DET]` groups name, and on each of them the keypoints that `[POSE]` groups name.

    Args:
        config: Sizes and choices.
        query_width: Width of the super-link queries.
        quirks: Published faults to reproduce.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2; UniPose, arXiv:2310.08530.
    """

    routes: ClassVar[tuple[Route, ...]] = (Route(token="[POSE]", table="pose", decoder="pose"),)

    def __init__(self, config: PoseConfig, query_width: int, quirks: Quirks | None = None) -> None:
        super().__init__(config, query_width, quirks, eps=EPS)
        width = config.width
        self.keypoint_projection = MLP([query_width, width, width, width])
        self.decoder = KeypointDecoder(
            decoder_sizes(config, self.eps),
            box_layers=config.box_layers,
            keypoints=config.keypoints,
            learn_extents=not self.quirks.keypoint_extents_never_learn,
        )
        self.visible_head = MLP([width, width, 1]) if config.keypoint_scores == "learned" else None
        self.object_queries = self._learned_queries()
        self.criterion = PoseCriterion(config, self.quirks)

    def forward(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[PoseTargets] | None = None,
        draws: Draws | None = None,
    ) -> PoseOutputs:
        """Decode U units.

        Args:
            queries: The units.
            images: The pictures the units name; the backbone runs once a picture, however many units share it.
            targets: What should be found; in training, denoising queries are made from it.
            draws: The denoising queries' random numbers.

        Raises:
            ValueError: If a unit names a picture that is not there, or has more keypoint groups than the decoder takes.
        """
        limit = self.config.keypoints
        objects = asked(queries, keypoints=False)
        named = asked(queries, keypoints=True, least=limit if self.quirks.keypoint_groups_leak else 1)
        if named.mask.shape[1] > limit:
            raise ValueError(f"expected at most {limit} keypoints an answer, got {named.mask.shape[1]}")
        text = self.query_projection(objects.states.to(self.dtype)).mean(2)
        content = self.keypoint_projection(named.states.to(self.dtype)).mean(2)
        content = content.masked_fill(~named.mask.unsqueeze(-1), 0)
        pyramid = self._see(queries.images, images)
        noise = None
        if self.training and targets is not None and self.config.denoise_queries:
            noise = self._noisy_queries(text, objects.mask, targets, draws or Draws())
        memory = self._read(text, objects.mask, pyramid)
        start = self._start(memory, pyramid, objects.mask, self.object_queries)
        return self._decode(memory, start, objects.mask, content, named.mask, noise)

    def _decode(
        self,
        memory: Memory,
        start: ObjectQueries,
        text_mask: Tensor,
        content: Tensor,
        keypoint_mask: Tensor,
        noise: NoisyQueries | None,
    ) -> PoseOutputs:
        """Refine object queries, then the best of them with their keypoints."""
        first, valid = start.encoder.boxes, start.encoder.valid
        x, boxes, visible, noisy = start.content, first.detach(), None, 0
        if noise is not None:
            x, boxes = torch.cat([noise.content, x], 1), torch.cat([noise.boxes.sigmoid(), boxes], 1)
            visible, noisy = noise.visible, noise.content.shape[1]
        count = self.config.poses
        chosen: list[Tensor] = []

        def choose(states: Tensor) -> Tensor:
            scores = self._classify(states, memory.text, text_mask).amax(-1).masked_fill(~valid, -torch.inf)
            chosen.append(scores.topk(count, dim=1).indices)
            return chosen[-1]

        leak = self.quirks.keypoint_groups_leak and noise is None
        groups = group_visibility(keypoint_mask, count, leak=leak)
        stages = self.decoder(x, boxes, content, memory, choose, groups, visible, noisy)
        kept = valid.gather(1, chosen[0])
        layers = [
            self._prediction(s, memory.text, text_mask, valid if s.keypoints is None else kept, noisy) for s in stages
        ]
        return PoseOutputs(
            layers=tuple(_part(p, noisy, None) for p in layers),
            encoder=PosePrediction(**vars(start.encoder)),
            tokens=start.tokens,
            noisy=() if noise is None else tuple(_part(p, 0, noisy) for p in layers),
            noise=noise,
            text_mask=text_mask,
            states=tuple(s.tokens[:, noisy:] for s in stages),
            guides=tuple(s.guide[:, noisy:] for s in stages),
            first_boxes=first,
            vision=memory.vision,
            text=memory.text,
            keypoint_mask=keypoint_mask,
        )

    def _prediction(
        self, stage: KeypointStage, text: Tensor, text_mask: Tensor, valid: Tensor, noisy: int
    ) -> PosePrediction:
        """Return what a stage says, denoising queries first."""
        valid = torch.nn.functional.pad(valid, (noisy, 0), value=True)
        logits = self._classify(stage.states, text, text_mask).masked_fill(~valid.unsqueeze(-1), -torch.inf)
        visible = None
        if self.visible_head is not None and stage.keypoint_states is not None:
            visible = self.visible_head(stage.keypoint_states).squeeze(-1)
        return PosePrediction(logits=logits, boxes=stage.boxes, valid=valid, keypoints=stage.keypoints, visible=visible)

    def loss(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[PoseTargets],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Return float[] scalars, one per loss term, already weighted.

        Args:
            queries: U units; without any there are no terms.
            images: The pictures the units name.
            targets: One a unit.
            generator: Source of the denoising noise; None means torch's global one.

        Raises:
            ValueError: If there is not one target a unit, a truth names an object group that is not there, or has
                another number of keypoints than its unit has keypoint groups.
        """
        self._check_targets(targets, asked(queries, keypoints=False).mask)
        if not len(queries):
            return {}
        for target, mask in zip(targets, asked(queries, keypoints=True).mask, strict=True):
            if target.keypoints.shape[1] != mask.sum():
                raise ValueError(
                    f"expected {int(mask.sum())} keypoints a truth, one per keypoint group, "
                    f"got {target.keypoints.shape[1]}"
                )
        terms = self.criterion(self(queries, images, targets, Draws(generator)), targets)
        return {name: value * self.criterion.weight(name) for name, value in terms.items()}

    @torch.no_grad()
    def decode(self, queries: Queries, images: ImageBatch, options: Options) -> list[Poses]:
        """Return one result per unit, in pixels of the original image; see `Options` for thresholds."""
        if not len(queries):
            return []
        threshold, options = options.lowest_score(self.config.threshold), options.merged(self.config.nms_iou)
        return poses(self(queries, images), images.select(queries.images), options, threshold, self.quirks)

    @classmethod
    def example(cls) -> tuple[Self, Queries, ImageBatch, list[PoseTargets]]:
        """Return a tiny decoder with three units about two pictures, one of them without truth."""
        generator = torch.Generator().manual_seed(0)
        images = ImageBatch(
            pixel_values=torch.rand(2, 3, 64, 96, generator=generator),
            pixel_mask=torch.ones(2, 64, 96, dtype=torch.bool),
            sizes_hw=torch.tensor([[128, 192], [32, 48]]),
            resized_hw=torch.tensor([[64, 96], [64, 96]]),
        )
        mask = torch.tensor([[True, True, True, True], [True, True, False, False], [True, True, True, False]])
        queries = Queries(
            states=torch.randn(3, 4, 4, 16, generator=generator) * mask[:, :, None, None],
            mask=mask,
            images=torch.tensor([0, 0, 1]),
            rows=torch.tensor([0, 0, 1]),
            turns=torch.tensor([1, 2, 1]),
            positions=torch.where(mask, torch.tensor([5, 12, 20, 28]), -1),
            routes=(("[DET]", "[POSE]", "[POSE]", "[POSE]"), ("[DET]", "[POSE]"), ("[DET]", "[POSE]", "[POSE]")),
        )
        targets = [
            PoseTargets(
                boxes=torch.tensor([[0.5, 0.5, 0.5, 0.5]])[:truths],
                class_ids=torch.tensor([0])[:truths],
                keypoints=torch.tensor([[[0.4, 0.4], [0.6, 0.4], [0.5, 0.7]]])[:truths, :named],
                visible=torch.tensor([[True, True, False]])[:truths, :named],
                areas=torch.tensor([0.2])[:truths],
                sigmas=torch.full((named,), 0.1),
            )
            for truths, named in ((1, 3), (0, 1), (1, 2))
        ]
        return cls(_tiny(), 16), queries, images, targets


def _part(prediction: PosePrediction, start: int, stop: int | None) -> PosePrediction:
    """Return the queries from `start` to `stop`; denoising queries, which come first, have no keypoints."""
    return PosePrediction(
        logits=prediction.logits[:, start:stop],
        boxes=prediction.boxes[:, start:stop],
        valid=prediction.valid[:, start:stop],
        keypoints=prediction.keypoints if stop is None else None,
        visible=prediction.visible if stop is None else None,
    )


def _tiny() -> PoseConfig:
    return PoseConfig(
        backbone={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 24, 32],
            "depths": [1, 1, 1],
            "layer_type": "basic",
            "out_features": ["stage2", "stage3"],
        },
        width=32,
        levels=2,
        encoder_layers=1,
        decoder_layers=3,
        box_layers=1,
        heads=4,
        text_heads=2,
        encoder_ffn=32,
        decoder_ffn=32,
        text_ffn=32,
        fusion_width=32,
        object_queries=10,
        poses=4,
        keypoints=6,
        keypoint_scores="learned",
        denoise_queries=4,
    )
