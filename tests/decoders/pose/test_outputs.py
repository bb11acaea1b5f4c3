import torch

from tests.decoders.pose.test_decoder import units
from visionllm.decoders.pose.outputs import asked


def test_objects_and_keypoints_are_told_apart_in_their_order():
    queries = units("DPDP", "PD")
    objects, named = asked(queries, keypoints=False), asked(queries, keypoints=True)
    assert objects.mask.tolist() == [[True, True], [True, False]]
    assert torch.equal(objects.states[0], queries.states[0, [0, 2]])
    assert torch.equal(objects.states[1, 0], queries.states[1, 1])
    assert torch.equal(named.states[0], queries.states[0, [1, 3]])
    assert not objects.states[1, 1].any()


def test_missing_groups_are_masked():
    named = asked(units("D"), keypoints=True, least=3)
    assert named.mask.tolist() == [[False] * 3]
    assert named.states.shape == (1, 3, 4, 16)


def test_no_units_are_no_error():
    queries = units("DP")
    empty = type(queries)(
        **{n: getattr(queries, n)[:0] for n in ("states", "mask", "images", "rows", "turns", "positions", "routes")}
    )
    assert asked(empty, keypoints=True).mask.shape == (0, 1)
