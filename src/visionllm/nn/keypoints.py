"""The decoder in which the best object queries find the keypoints of their objects."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visionllm.nn.decoder import DecoderSizes, DeformableDecoder, Memory
from visionllm.nn.mlp import MLP
from visionllm.ops.boxes import inverse_sigmoid


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointStage:
    """What one layer says; M denoising queries stand before N objects.

    Attributes:
        states: float[B, M + N, D]. Normalised states of denoising queries and objects.
        boxes: float32[B, M + N, 4]. Their boxes, (cx, cy, w, h) in [0, 1] of the real picture.
        keypoint_states: float[B, N, P, D]. Normalised states of the objects' keypoints, or None on box-only layers.
        keypoints: float32[B, N, P, 2]. (x, y) in [0, 1] of the real picture, or None on box-only layers.
        tokens: float[B, T, D]. Normalised states of all queries: in box-only layers the same as `states`, else each
            object is followed by its keypoints.
        guide: float32[B, T, 4]. The boxes that guided the layer.
    """

    states: Tensor
    boxes: Tensor
    keypoint_states: Tensor | None
    keypoints: Tensor | None
    tokens: Tensor
    guide: Tensor


def group_visibility(keypoint_mask: Tensor, groups: int, *, leak: bool = False) -> Tensor:
    """Tell which queries see each other, where every object is followed by its P keypoints.

    Args:
        keypoint_mask: bool[B, P]. True on real keypoints.
        groups: Number N of objects.
        leak: Build the mask for groups of P queries first and repair only the blocks of P + 1 on its diagonal, as the
            published code does; see SPEC J.2.

    Returns:
        bool[B, 1, T, T], T = N · (P + 1). An object sees itself and its real keypoints, and they see it and each other;
        its padded keypoints see each other.

    >>> group_visibility(torch.tensor([[True, False]]), 1)[0, 0].int().tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    length = keypoint_mask.shape[1] + 1
    real = nn.functional.pad(keypoint_mask, (1, 0), value=True).repeat(1, groups)
    place = torch.arange(groups * length, device=keypoint_mask.device)
    group = place // length
    same = group[:, None] == group
    visible = same & (real[:, :, None] == real[:, None])
    if leak:
        block = place // (length - 1)
        beyond = block >= groups
        seen = (block[:, None] == block) | ((block == groups - 1)[:, None] & beyond) | beyond[:, None]
        visible = visible | (seen & ~same)
    return visible.unsqueeze(1)


class KeypointDecoder(nn.Module):
    """Decoder layers that first refine boxes, then the best boxes together with their keypoints.

    A keypoint is a query of its own with a box around it, whose size says how far around it looks.

    Args:
        sizes: Of the decoder layers.
        box_layers: How many of them refine boxes only.
        keypoints: Most keypoints P an object may have.
        learn_extents: Let the sizes of keypoints' boxes learn from what is looked at.

    Source: UniPose, arXiv:2310.08530; SPEC C.5.
    Differs: the published code lets no gradient reach the sizes of keypoints' boxes, so they never learn.
    """

    def __init__(self, sizes: DecoderSizes, *, box_layers: int, keypoints: int, learn_extents: bool = True) -> None:
        super().__init__()
        width = sizes.width
        self.stack = DeformableDecoder(sizes)
        self.keypoint_head = MLP([width, width, width, 2])
        self.extent_head = MLP([width, width, width, 2])
        self.extents = nn.Parameter(torch.zeros(keypoints, 2))
        self.box_layers = box_layers
        self.learn_extents = learn_extents
        for head in (self.keypoint_head, self.extent_head):
            nn.init.zeros_(head.layers[-1].weight)  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(head.layers[-1].bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        x: Tensor,
        boxes: Tensor,
        content: Tensor,
        memory: Memory,
        choose: Callable[[Tensor], Tensor],
        group_visible: Tensor,
        visible: Callable[[int], Tensor] | None = None,
        noisy: int = 0,
    ) -> list[KeypointStage]:
        """Refine objects, then objects and their keypoints.

        Args:
            x: float[B, M + A, D]. Content of M denoising queries and A object queries.
            boxes: float32[B, M + A, 4]. (cx, cy, w, h), in [0, 1] of the real picture.
            content: float[B, P, D]. Content of the keypoints.
            memory: What all look at.
            choose: Returns int[B, N], the object queries that shall have keypoints, for their
                states float[B, A, D], which are not normalised.
            group_visible: bool[B, 1, T, T], from `group_visibility`.
            visible: Returns bool[M + n, M + n], who sees whom where denoising queries stand before n others; None
                lets all object queries see each other.
            noisy: Number M of denoising queries.

        Returns:
            One stage a layer.
        """
        stages = []
        guide = boxes
        seen = None if visible is None else visible(x.shape[1] - noisy)
        for layer in self.stack.layers[: self.box_layers]:
            before, guide = guide, guide.detach()
            x = self.stack.step(layer, x, guide, memory, seen)
            stages.append(self._box_stage(x, before))
            guide = torch.sigmoid(self.stack.box_head(x).float() + self._logit(guide))
        x, guide = self._grouped(x, guide, content, choose(x[:, noisy:]), noisy)
        seen = group_visible
        if visible is not None:
            seen = visible(x.shape[1] - noisy).expand(len(x), 1, -1, -1).clone()
            seen[:, :, noisy:, noisy:] = group_visible
        groups = content.shape[1] + 1
        for layer in self.stack.layers[self.box_layers :]:
            before, guide = guide, self._guiding(guide, noisy, groups)
            x = self.stack.step(layer, x, guide, memory, seen)
            stages.append(self._keypoint_stage(x, before, noisy, groups))
            guide = torch.sigmoid(self._offsets(x, noisy, groups).float() + self._logit(guide))
        return stages

    def _logit(self, boxes: Tensor) -> Tensor:
        return inverse_sigmoid(boxes, self.stack.eps)

    def _box_stage(self, x: Tensor, guide: Tensor) -> KeypointStage:
        """Predict boxes; unlike what guides the next layer, the prediction teaches the layers before."""
        states = self.stack.norm(x)
        boxes = torch.sigmoid(self.stack.box_head(states).float() + self._logit(guide))
        return KeypointStage(
            states=states, boxes=boxes, keypoint_states=None, keypoints=None, tokens=states, guide=guide
        )

    def _keypoint_stage(self, x: Tensor, guide: Tensor, noisy: int, length: int) -> KeypointStage:
        """Predict boxes and keypoints."""
        tokens = self.stack.norm(x)
        places, of_noise, of_groups = self._logit(guide), tokens[:, :noisy], _groups(tokens[:, noisy:], length)
        states = torch.cat([of_noise, of_groups[:, :, 0]], 1)
        near = _groups(places[:, noisy:], length)
        boxes = self.stack.box_head(states).float() + torch.cat([places[:, :noisy], near[:, :, 0]], 1)
        keypoint_states = of_groups[:, :, 1:]
        keypoints = self.keypoint_head(keypoint_states).float() + near[:, :, 1:, :2]
        return KeypointStage(
            states=states,
            boxes=boxes.sigmoid(),
            keypoint_states=keypoint_states,
            keypoints=keypoints.sigmoid(),
            tokens=tokens,
            guide=guide,
        )

    def _offsets(self, x: Tensor, noisy: int, length: int) -> Tensor:
        """Return float[B, M + T, 4], how each query's box should move."""
        groups = _groups(x[:, noisy:], length)
        keypoints = groups[:, :, 1:]
        moved = torch.cat([self.keypoint_head(keypoints), self.extent_head(keypoints)], -1)
        boxes = self.stack.box_head(groups[:, :, :1])
        return torch.cat([self.stack.box_head(x[:, :noisy]), torch.cat([boxes, moved], 2).flatten(1, 2)], 1)

    def _guiding(self, guide: Tensor, noisy: int, length: int) -> Tensor:
        """Return the boxes without gradients, but for the sizes of keypoints' boxes."""
        if not self.learn_extents:
            return guide.detach()
        keypoint = torch.arange(guide.shape[1] - noisy, device=guide.device) % length > 0
        keypoint = nn.functional.pad(keypoint, (noisy, 0))[None, :, None]
        extent = torch.where(keypoint, guide[..., 2:], guide[..., 2:].detach())
        return torch.cat([guide[..., :2].detach(), extent], -1)

    def _grouped(self, x: Tensor, boxes: Tensor, content: Tensor, index: Tensor, noisy: int) -> tuple[Tensor, Tensor]:
        """Return the queries behind the denoising ones replaced by the chosen objects, each before its keypoints."""

        def chosen(values: Tensor) -> Tensor:
            return values[:, noisy:].gather(1, index.unsqueeze(-1).expand(-1, -1, values.shape[-1]))

        objects, places = chosen(x), chosen(boxes)
        count = content.shape[1]
        start = self._logit(places[:, :, None, :2]) + self.keypoint_head(content).float()[:, None]
        extent = places[:, :, None, 2:].detach() * self.extents[:count].float().sigmoid()
        keypoints = torch.cat([start.sigmoid(), extent], -1)
        places = torch.cat([places[:, :, None], keypoints], 2).flatten(1, 2)
        repeated = content[:, None].expand(-1, objects.shape[1], -1, -1).to(objects.dtype)
        tokens = torch.cat([objects[:, :, None], repeated], 2).flatten(1, 2)
        return torch.cat([x[:, :noisy], tokens], 1), torch.cat([boxes[:, :noisy], places], 1)


def _groups(x: Tensor, length: int) -> Tensor:
    """Return [B, N, P + 1, ...] of [B, T, ...]."""
    return x.unflatten(1, (-1, length))
