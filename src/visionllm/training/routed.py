"""What decoders learn from a batch of answers that open them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from visionllm.processing.targets import TrainBatch
from visionllm.super_link import select_units
from visionllm.training.link import Link, LinkedModel
from visionllm.types.tensors import ImageBatch, Queries

_PLAIN = "detection"  # its losses have the names of their terms alone


def routed_losses(
    module: LinkedModel,
    states: Tensor,
    batch: TrainBatch,
    *,
    links: Sequence[tuple[Link, Mapping[str, Tensor]]] = (),
    link_weight: float = 0.0,
    units: int = 0,
) -> dict[str, Tensor]:
    """Return the losses of the decoders that a batch opens, and of the links to them.

    Args:
        module: Holds the model.
        states: float[B, T, D]. The last hidden states of the batch.
        batch: With targets; units without one, as those of earlier answers, teach nothing.
        links: With their targets for the units of the batch.
        link_weight: Weight of the links' losses; 0 leaves them out.
        units: At most so many units of each decoder, drawn at random, are decoded; 0 decodes none.

    Returns:
        Losses by name, those of the detector as its terms are called, those of others as in `"pose/keypoints"`.
    """
    losses: dict[str, Tensor] = {}
    for name, gathered in module.model.super_link.gather(states, batch.inputs).items():
        queries, truth = _with_truth(gathered, batch, name)
        if not truth:
            continue
        prefix = "" if name == _PLAIN else f"{name}/"
        index = torch.tensor(truth)
        for link, targets in links if link_weight else ():
            if link.decoder == name:
                loss = link.loss(module, queries, {key: tensor[index] for key, tensor in targets.items()})
                losses |= {} if loss is None else {f"{prefix}link": link_weight * loss}
        if units:
            taken = torch.randperm(len(truth))[:units].tolist()
            terms = _decoded(module, name, select_units(queries, taken), batch, [truth[i] for i in taken])
            losses |= {f"{prefix}{term}": value for term, value in terms.items()}
    return losses


def _with_truth(queries: Queries, batch: TrainBatch, decoder: str) -> tuple[Queries, list[int]]:
    """Return the units that have targets, and the number of each one's target."""
    numbers = {(u.row, u.position): i for i, u in enumerate(batch.units) if u.decoder == decoder}
    keys = zip(queries.rows.tolist(), queries.positions[:, 0].tolist(), strict=True)
    chosen = {unit: numbers[key] for unit, key in enumerate(keys) if key in numbers}
    return select_units(queries, list(chosen)), list(chosen.values())


def _decoded(
    module: LinkedModel, name: str, queries: Queries, batch: TrainBatch, truth: Sequence[int]
) -> dict[str, Tensor]:
    """Return the loss terms of a decoder, in full precision, which boxes want."""
    device = queries.states.device
    images = ImageBatch.empty(device) if batch.inputs.images is None else batch.inputs.images
    with torch.autocast(device.type, enabled=False):
        exact = replace(queries, states=queries.states.float())
        return module.model.decoder(name).loss(exact, images, [batch.targets[i] for i in truth])
