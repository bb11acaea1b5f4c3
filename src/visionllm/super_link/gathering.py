"""From hidden states to queries: which slots form a group, which groups are decoded together, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from visionllm.config import VisionLLMConfig
from visionllm.types import Route
from visionllm.types.tensors import ModelInputs, Queries


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is decoded together: the query groups of one decoder in one sentence of one turn.

    Attributes:
        decoder: Name of the decoder.
        row: Batch row.
        turn: Turn inside the row.
        image: Index in `ModelInputs.images` of the picture to decode on, −1 where none is needed.
        positions: Index in the row of each group's routing token.
        routes: The routing token of each group.
        slots: Slots Q of each group.
    """

    decoder: str
    row: int
    turn: int
    image: int
    positions: tuple[int, ...]
    routes: tuple[str, ...]
    slots: int


@dataclass(frozen=True, kw_only=True)
class _Group:
    row: int
    turn: int
    sentence: int
    position: int
    route: Route


def find_units(inputs: ModelInputs, config: VisionLLMConfig) -> list[Unit]:
    """Find what a batch routes, in the order of the rows and of their tokens.

    A group whose slots are cut off or out of order is dropped. Groups of one decoder in one turn are one unit until a
    sentence ends or a group of another decoder comes between; objects and the keypoints asked of them may stand in
    several sentences, until the next objects. Groups of a decoder that the model lacks are left out.

    Raises:
        ValueError: If a routed turn has no decoder image.
    """
    groups = _complete_groups(inputs, config)
    posing = {(g.row, g.turn) for g in groups if g.route.decoder == "pose"} if "pose" in config.decoders else set()
    runs: list[tuple[str, list[_Group]]] = []
    for group in groups:
        # `[DET]` names the objects whose keypoints `[POSE]` asks for, where both stand in one turn.
        owner = "pose" if group.route.token == "[DET]" and (group.row, group.turn) in posing else group.route.decoder
        if runs:
            last_owner, run = runs[-1]
            last = run[-1]
            if (last_owner, last.row, last.turn) == (owner, group.row, group.turn) and _goes_on(last, group, owner):
                run.append(group)
                continue
        runs.append((owner, [group]))
    turn_images = inputs.turn_images.tolist()
    return [_unit(owner, run, turn_images, config) for owner, run in runs if owner in config.decoders]


def _goes_on(last: _Group, group: _Group, owner: str) -> bool:
    """Tell whether a group belongs to the unit of the group before it, of the same turn and decoder."""
    if last.sentence == group.sentence:
        return True
    return owner == "pose" and (last.route.token, group.route.token) != ("[POSE]", "[DET]")


def _unit(owner: str, run: Sequence[_Group], turn_images: list[list[int]], config: VisionLLMConfig) -> Unit:
    row, turn = run[0].row, run[0].turn
    images = turn_images[row]
    image = images[turn] if turn < len(images) and run[0].route.picture else -1
    if image < 0 and run[0].route.picture:
        raise ValueError(
            f"expected a picture for turn {turn} of row {row}, which routes to decoder {owner!r}, got none"
        )
    return Unit(
        decoder=owner,
        row=row,
        turn=turn,
        image=image,
        positions=tuple(g.position for g in run),
        routes=tuple(g.route.token for g in run),
        slots=config.tables[run[0].route.table],
    )


def _complete_groups(inputs: ModelInputs, config: VisionLLMConfig) -> list[_Group]:
    ids, mask = inputs.input_ids, inputs.attention_mask.bool()
    by_token = {config.token_ids[r.token]: r for r in config.routes}
    if not by_token:
        return []
    tokens = torch.tensor(list(by_token), device=ids.device)
    rows, positions = (torch.isin(ids, tokens) & mask).nonzero(as_tuple=True)
    if len(rows) == 0:
        return []
    routed = ids[rows, positions]
    starts, sizes = ids.new_zeros(config.id_space), ids.new_zeros(config.id_space)
    for token, route in by_token.items():
        slots = config.slot_ids(route.table)
        starts[token], sizes[token] = slots.start, len(slots)
    steps = torch.arange(int(sizes.max()), device=ids.device)
    wanted = steps < sizes[routed][:, None]
    places = positions[:, None] + 1 + steps
    inside = places < ids.shape[1]
    places = places.clamp_max(ids.shape[1] - 1)
    right = (ids[rows[:, None], places] == starts[routed][:, None] + steps) & mask[rows[:, None], places] & inside
    complete = (right | ~wanted).all(dim=-1)
    ends = torch.isin(ids, torch.tensor(config.sentence_end_ids, device=ids.device, dtype=ids.dtype))
    sentences = ends.cumsum(dim=-1)
    columns = (rows, inputs.turn_ids[rows, positions], sentences[rows, positions], positions, routed)
    table = torch.stack(columns, dim=-1)[complete].tolist()
    return [_Group(row=r, turn=t, sentence=s, position=p, route=by_token[i]) for r, t, s, p, i in table]


def gather(last_hidden_state: Tensor, inputs: ModelInputs, config: VisionLLMConfig) -> dict[str, Queries]:
    """Collect the hidden states of all slots, one `Queries` for each decoder that has any.

    Args:
        last_hidden_state: float[B, T, D], after the final norm.
        inputs: The batch those states come from.
        config: Names the routes and the tables.

    Raises:
        ValueError: If a routed turn has no decoder image.
    """
    units = find_units(inputs, config)
    owners = dict.fromkeys(u.decoder for u in units)
    return {owner: _queries([u for u in units if u.decoder == owner], last_hidden_state) for owner in owners}


def _queries(units: Sequence[Unit], states: Tensor) -> Queries:
    positions = _positions(units, states.device)
    rows = torch.tensor([u.row for u in units], device=states.device)
    places = positions.clamp_min(0)[..., None] + 1 + torch.arange(units[0].slots, device=states.device)
    # a masked group may reach past the row's end
    places = places.clamp_max(states.shape[1] - 1)
    return _filled(units, positions, states[rows[:, None, None], places])


def join_states(units: Sequence[Unit], states: Sequence[Tensor]) -> Queries:
    """Put the states of some units' slots side by side, where they were collected one by one.

    Args:
        units: U units of one decoder, at least one.
        states: float[k, Q, D] for a unit of k groups.
    """
    positions = _positions(units, states[0].device)
    longest = positions.shape[1]
    return _filled(units, positions, torch.stack([F.pad(s, (0, 0, 0, 0, 0, longest - len(s))) for s in states]))


def _positions(units: Sequence[Unit], device: torch.device) -> Tensor:
    """Return int[U, K], the index in its row of each group's routing token, −1 where a unit has fewer groups."""
    longest = max(len(u.positions) for u in units)
    return torch.tensor([(*u.positions, *[-1] * (longest - len(u.positions))) for u in units], device=device)


def _filled(units: Sequence[Unit], positions: Tensor, states: Tensor) -> Queries:
    mask = positions >= 0
    return Queries(
        states=torch.where(mask[..., None, None], states, states.new_zeros(())),
        mask=mask,
        images=torch.tensor([u.image for u in units], device=states.device),
        rows=torch.tensor([u.row for u in units], device=states.device),
        turns=torch.tensor([u.turn for u in units], device=states.device),
        positions=positions,
        routes=tuple(u.routes for u in units),
    )


def select_units(queries: Queries, chosen: Sequence[int]) -> Queries:
    """Return the units that `chosen` names, in its order."""
    index = torch.tensor(chosen, dtype=torch.long, device=queries.states.device)
    tensors = {n: getattr(queries, n)[index] for n in ("states", "mask", "images", "rows", "turns", "positions")}
    return replace(queries, routes=tuple(queries.routes[i] for i in chosen), **tensors)


def unit_places(queries: Queries) -> list[tuple[int, int, int]]:
    """Return (row, turn, index in the row of the first routing token) of each unit, which no two units share."""
    return list(zip(queries.rows.tolist(), queries.turns.tolist(), queries.positions[:, 0].tolist(), strict=True))
