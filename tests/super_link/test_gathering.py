from typing import Any

import pytest
import torch

from tests.tiny import COMMA, DET, DET_SLOTS, DETECTION, EOS, GRD, POSE, POSE_SLOTS, STOP, tiny_config, tiny_inputs
from visionllm.super_link import find_units, gather, join_states, select_units, unit_places
from visionllm.types.tensors import ModelInputs

TXT = 9
BOTH: dict[str, Any] = {"decoders": {"detection": DETECTION, "pose": {}}}
D = [DET, *DET_SLOTS]
P = [POSE, *POSE_SLOTS]


def units_of(
    rows: list[list[int]], *, both: bool = False, **fields: Any
) -> list[tuple[str, int, int, tuple[int, ...]]]:
    config = tiny_config(**BOTH) if both else tiny_config()
    return [(u.decoder, u.row, u.turn, u.positions) for u in find_units(tiny_inputs(rows, **fields), config)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([[TXT, *D]], [("detection", 0, 1, (1,))], id="one-group"),
        pytest.param([[*D, COMMA, *D]], [("detection", 0, 1, (0, 6))], id="one-sentence"),
        pytest.param(
            [[*D, STOP, *D]], [("detection", 0, 1, (0,)), ("detection", 0, 1, (6,))], id="a-sentence-ends-between"
        ),
        pytest.param([[*D, TXT], [TXT] * 6], [("detection", 0, 1, (0,))], id="ragged-batch"),
        pytest.param([[TXT] * 3, [TXT, *D]], [("detection", 1, 1, (1,))], id="only-the-second-row"),
        pytest.param([[*D, GRD, *DET_SLOTS]], [("detection", 0, 1, (0, 5))], id="two-tokens-of-one-decoder"),
        pytest.param([[TXT, TXT]], [], id="no-routing-token"),
        pytest.param([], [], id="no-row"),
        pytest.param([[TXT, DET, *DET_SLOTS[:3]]], [], id="cut-off-at-the-end"),
        pytest.param([[DET, *DET_SLOTS[:3], TXT, *D]], [("detection", 0, 1, (5,))], id="cut-off-in-between"),
        pytest.param([[DET, *POSE_SLOTS]], [], id="slots-of-another-table"),
        pytest.param([[DET, *reversed(DET_SLOTS)]], [], id="slots-out-of-order"),
        pytest.param([[DET]], [], id="nothing-but-a-routing-token"),
        pytest.param([[*P]], [], id="a-decoder-that-the-model-lacks"),
        pytest.param(
            [[*D, *P, *D]],
            [("detection", 0, 1, (0,)), ("detection", 0, 1, (10,))],
            id="a-lacking-decoder-comes-between",
        ),
    ],
)
def test_groups_of_one_decoder_in_one_sentence_are_one_unit(rows: list[list[int]], expected: list[Any]):
    assert units_of(rows) == expected


def test_each_turn_has_its_own_units():
    row = [*D, EOS, *D]
    units = units_of([row], turns=[[1] * 6 + [2] * 5])
    assert units == [("detection", 0, 1, (0,)), ("detection", 0, 2, (6,))]


def test_padding_on_the_left_moves_the_positions_only():
    assert units_of([[TXT, *D], [TXT] * 8], left=True) == [("detection", 0, 1, (3,))]


def test_ids_under_the_mask_route_nothing():
    inputs = tiny_inputs([[*D, *D]], attention_mask=torch.tensor([[True] * 5 + [False] * 5]))
    assert [u.positions for u in find_units(inputs, tiny_config())] == [(0,)]


def test_objects_belong_to_the_pose_decoder_in_a_turn_that_asks_for_poses():
    row = [*D, TXT, *P, EOS, *D]
    units = units_of([row], both=True, turns=[[1] * 12 + [2] * 5])
    assert units == [("pose", 0, 1, (0, 6)), ("detection", 0, 2, (12,))]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param([*D, STOP, *P, COMMA, *P], [("pose", 0, 1, (0, 6, 12))], id="two-sentences"),
        pytest.param([*D, STOP, *P, STOP, *P], [("pose", 0, 1, (0, 6, 12))], id="keypoints-in-two-sentences"),
        pytest.param(
            [*D, STOP, *P, STOP, *D, *P],
            [("pose", 0, 1, (0, 6)), ("pose", 0, 1, (12, 17))],
            id="other-objects-with-their-own",
        ),
    ],
)
def test_objects_and_their_keypoints_may_stand_in_several_sentences(row: list[int], expected: list[Any]):
    assert units_of([row], both=True) == expected


def test_without_a_pose_decoder_objects_are_detected():
    assert units_of([[*D, TXT, *P]]) == [("detection", 0, 1, (0,))]


def test_other_routes_of_the_detector_stay_with_it_beside_poses():
    units = units_of([[GRD, *DET_SLOTS, *P]], both=True)
    assert units == [("detection", 0, 1, (0,)), ("pose", 0, 1, (5,))]


@pytest.mark.parametrize("images", [[[0, -1]], [[0]]], ids=["marked-as-none", "no-such-turn"])
def test_a_routed_turn_without_a_picture_is_refused(images: list[list[int]]):
    inputs = tiny_inputs([[TXT, *D]], turn_images=torch.tensor(images))
    with pytest.raises(
        ValueError, match="a picture for turn 1 of row 0, which routes to decoder 'detection', got none"
    ):
        find_units(inputs, tiny_config())


def test_a_model_without_routes_routes_nothing():
    assert find_units(tiny_inputs([[*D]]), tiny_config(routes=())) == []


def states_for(inputs: ModelInputs) -> torch.Tensor:
    """Return states whose first number is the row and whose second is the position."""
    rows, length = inputs.input_ids.shape
    return torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(length), indexing="ij"), dim=-1).float()


def test_queries_come_back_from_their_own_slots_in_order():
    rows = [[TXT, *D, COMMA, *D], [*D, STOP, GRD, *DET_SLOTS]]
    inputs = tiny_inputs(rows)
    queries = gather(states_for(inputs), inputs, tiny_config())["detection"]
    assert queries.states.shape == (3, 2, 4, 2)
    assert queries.states[0, :, :, 1].tolist() == [[2, 3, 4, 5], [8, 9, 10, 11]]
    assert queries.states[1, 0].tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]
    assert queries.states[2, 0, :, 1].tolist() == [7, 8, 9, 10]
    assert bool((queries.states[1:, 1] == 0).all())
    assert queries.mask.tolist() == [[True, True], [True, False], [True, False]]
    assert queries.positions.tolist() == [[1, 7], [0, -1], [6, -1]]
    assert queries.rows.tolist() == queries.images.tolist() == [0, 1, 1]
    assert queries.turns.tolist() == [1, 1, 1]
    assert queries.routes == (("[DET]", "[DET]"), ("[DET]",), ("[GRD]",))


def test_each_decoder_gets_its_own_units_of_a_mixed_batch():
    inputs = tiny_inputs([[GRD, *DET_SLOTS], [*P, *P]])
    queries = gather(states_for(inputs), inputs, tiny_config(**BOTH))
    assert {name: q.states.shape for name, q in queries.items()} == {"detection": (1, 1, 4, 2), "pose": (1, 2, 4, 2)}
    assert queries["pose"].rows.tolist() == [1]


def test_a_batch_without_groups_gives_no_queries():
    inputs = tiny_inputs([[TXT, TXT]])
    assert gather(states_for(inputs), inputs, tiny_config()) == {}


def test_a_state_that_is_not_a_number_does_not_leak_into_masked_groups():
    inputs = tiny_inputs([[*D, *D], [*D, TXT, TXT, TXT, TXT, TXT]])
    states = states_for(inputs)
    states[1, 5:] = float("nan")
    states[1, 0] = float("nan")
    queries = gather(states, inputs, tiny_config())["detection"]
    assert bool(queries.states.isfinite().all())


def test_gradients_reach_the_slots_and_nothing_else():
    inputs = tiny_inputs([[TXT, *D, TXT]])
    states = states_for(inputs).requires_grad_()
    gather(states, inputs, tiny_config())["detection"].states.sum().backward()
    assert states.grad is not None
    assert states.grad[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 0]


def test_chosen_units_keep_what_belongs_to_them():
    inputs = tiny_inputs([[*D, COMMA, *D], [*D, STOP, GRD, *DET_SLOTS]])
    queries = gather(states_for(inputs), inputs, tiny_config())["detection"]
    chosen = select_units(queries, [2, 0])
    assert chosen.routes == (("[GRD]",), ("[DET]", "[DET]"))
    assert unit_places(chosen) == [(1, 1, 6), (0, 1, 0)]
    assert torch.equal(chosen.states, queries.states[[2, 0]])
    assert len(select_units(queries, [])) == 0


def test_states_that_were_collected_one_by_one_make_the_same_queries():
    inputs = tiny_inputs([[*D, COMMA, *D], [TXT, *D]])
    states = states_for(inputs)
    whole = gather(states, inputs, tiny_config())["detection"]
    units = find_units(inputs, tiny_config())
    apart = [torch.stack([states[u.row, p + 1 : p + 5] for p in u.positions]) for u in units]
    joined = join_states(units, apart)
    assert joined.routes == whole.routes
    for name in ("states", "mask", "images", "rows", "turns", "positions"):
        assert torch.equal(getattr(joined, name), getattr(whole, name)), name
