from collections import Counter
from unittest.mock import Mock

import numpy as np
import pytest

from visionllm.data.world.scene import COLOURS, KINDS
from visionllm.data.world.splits import SPLITS, UNSEEN_PAIRS, Dice, picture_dice


def test_a_tenth_of_all_pairs_is_held_out_spread_over_kinds_and_colours():
    assert len(UNSEEN_PAIRS) == len(KINDS) * len(COLOURS) // 10
    assert max(Counter(kind for kind, _ in UNSEEN_PAIRS).values()) <= 2
    assert set(Counter(colour for _, colour in UNSEEN_PAIRS).values()) == {2}


def test_held_out_pairs_are_fixed():
    assert ("arrow", "blue") in UNSEEN_PAIRS
    assert ("umbrella", "green") in UNSEEN_PAIRS
    assert ("heart", "red") not in UNSEEN_PAIRS


def test_no_two_streams_begin_alike():
    starts = [picture_dice(seed, split).uniform(0, 1) for split in SPLITS for seed in (0, 1, 2, 10**9 - 1)]
    assert len(set(starts)) == len(starts)


def test_a_stream_is_the_same_everywhere():
    dice = picture_dice(0, "train")
    assert [dice.integer(0, 999) for _ in range(3)] == [511, 950, 144]


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"expected one of the splits train, .*, got 'dev'"):
        picture_dice(0, "dev")


@pytest.mark.parametrize("seed", [-1, 10**9])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=rf"expected a seed in \[0, 1000000000\), got {seed}"):
        picture_dice(seed, "test")


def test_integers_reach_both_ends():
    dice = picture_dice(0, "test")
    assert {dice.integer(3, 5) for _ in range(60)} == {3, 4, 5}


def test_weights_steer_a_choice():
    dice = picture_dice(0, "test")
    drawn = Counter(dice.choose("abc", (0.0, 0.25, 0.75)) for _ in range(400))
    assert drawn["a"] == 0
    assert drawn["c"] > 2 * drawn["b"] > 0


def test_a_choice_survives_rounding_at_the_upper_end():
    generator = Mock(np.random.Generator)
    generator.random.return_value = 1.0
    assert Dice(generator).choose("ab", (0.5, 0.5)) == "b"


def test_a_sample_holds_no_member_twice():
    assert sorted(picture_dice(0, "test").sample(KINDS, 20)) == sorted(KINDS)


def test_noise_has_the_shape_asked_for_and_uses_the_whole_range():
    noise = picture_dice(0, "test").bytes(37, 41, 3)
    assert noise.shape == (37, 41, 3)
    assert noise.dtype == np.uint8
    assert noise.min() == 0
    assert noise.max() == 255
