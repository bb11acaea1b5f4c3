"""What the pose decoder says, before losses and results, and how its query groups are told apart."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.decoders.base.outputs import BoxPrediction, GroundedOutputs
from visionllm.types.tensors import Queries

KEYPOINT_ROUTE = "[POSE]"


@dataclass(frozen=True, kw_only=True, eq=False)
class PosePrediction(BoxPrediction):
    """What one layer says about N queries a unit.

    Attributes:
        keypoints: float[U, N, P, 2]. (x, y) in [0, 1] of the real picture, or None where a layer has none.
        visible: float[U, N, P]. Logits of the keypoints' own scores, or None where they have none of their own.
    """

    keypoints: Tensor | None = None
    visible: Tensor | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseOutputs(GroundedOutputs[PosePrediction]):
    """Everything the pose decoder says about U units.

    Attributes:
        states: Where a layer has keypoints, each object is followed by its own.
        guides: The boxes that guided each decoder layer.
        keypoint_mask: bool[U, P]. True on real keypoint groups.
    """

    keypoint_mask: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """The query groups of one kind.

    Attributes:
        states: float[U, K, Q, D]; zero where masked.
        mask: bool[U, K]. True on real groups.
    """

    states: Tensor
    mask: Tensor


def asked(queries: Queries, *, keypoints: bool, least: int = 1) -> Asked:
    """Collect the groups that ask for keypoints, or those that name objects, in their order.

    Args:
        queries: U units.
        keypoints: Which kind.
        least: Fewest columns K of the result; missing groups are masked.
    """
    routes = [[(route == KEYPOINT_ROUTE) == keypoints for route in unit] for unit in queries.routes]
    kinds = torch.zeros_like(queries.mask)
    for row, unit in zip(kinds, routes, strict=True):
        row[: len(unit)] = torch.tensor(unit, dtype=torch.bool, device=row.device)
    most = max([least, *(sum(unit) for unit in routes)])
    order = (2 * ~kinds + ~queries.mask).argsort(dim=1, stable=True)[:, :most]
    states = queries.states * kinds[:, :, None, None]
    states = states.gather(1, order[:, :, None, None].expand(-1, -1, *states.shape[2:]))
    states = torch.nn.functional.pad(states, (0, 0, 0, 0, 0, most - states.shape[1]))
    counts = (kinds & queries.mask).sum(1)
    return Asked(states=states, mask=torch.arange(most, device=kinds.device) < counts[:, None])
