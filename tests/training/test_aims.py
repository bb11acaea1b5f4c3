"""Aims become slot states."""

import math

import numpy as np
import torch

from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.training.aims import Aim, AimEncoder, aim_codes

STAR = Aim(Phrase(kind="star", colour="red"))
HERE = Aim(Phrase(), (0.25, 0.5, 0.1, 0.2))


def test_codes_name_the_words_and_leave_the_unsaid_at_zero():
    codes, places, mask = aim_codes([[STAR, HERE], [HERE]])
    names = ["joint", *ATTRIBUTES]
    assert codes[0, 0, names.index("kind")] == ATTRIBUTES["kind"].index("star") + 1
    assert codes[0, 0, names.index("colour")] == ATTRIBUTES["colour"].index("red") + 1
    assert codes[0, 0, names.index("size")] == 0
    assert math.isnan(places[0, 0, 0])
    np.testing.assert_allclose(places[1, 0], [0.25, 0.5, 0.1, 0.2])
    assert mask.tolist() == [[True, True], [True, False]]


def test_no_aims_give_empty_tables():
    codes, places, mask = aim_codes([])
    assert (codes.shape, places.shape, mask.shape) == ((0, 0, 5), (0, 0, 4), (0, 0))


def test_states_differ_by_word_place_and_slot():
    encoder = AimEncoder(16, 4)
    codes, places, _ = (torch.from_numpy(a) for a in aim_codes([[STAR, HERE, Aim(Phrase(kind="fish"))]]))
    states = encoder(codes, places)
    assert states.shape == (1, 3, 4, 16)
    assert states.isfinite().all()
    assert not torch.allclose(states[0, 0], states[0, 2])
    assert not torch.allclose(states[0, 0, 0], states[0, 0, 1])


def test_a_unit_gives_the_same_states_alone_and_in_a_batch():
    encoder = AimEncoder(16, 4)
    both = encoder(*(torch.from_numpy(a) for a in aim_codes([[STAR], [HERE, STAR]])[:2]))
    alone = encoder(*(torch.from_numpy(a) for a in aim_codes([[STAR]])[:2]))
    torch.testing.assert_close(both[0, :1], alone[0])
