"""Relations are asked only where they are clear."""

import re

import pytest

from tests.data.world.scenes import described, drawn, picture_of, question, thing
from visionllm.data.world.captions import facts
from visionllm.data.world.tasks import make_sample

HOUSE = thing("small red solid house", (60, 50))
AHEAD = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}


def middle(item) -> tuple[float, float]:
    return (item.box[0] + item.box[2]) / 2, (item.box[1] + item.box[3]) / 2


@pytest.mark.parametrize("seed", range(3))
def test_what_lies_beside_a_thing_really_does(seed: int):
    for picture in drawn(100):
        sample = make_sample(picture, "relation", seed)
        assert sample
        side = re.search(r"left of|right of|above|below", question(sample).lower())
        if side is None or not facts(sample.answer.text):
            continue
        (anchor,) = described(question(sample), picture.scene.objects)
        x, y = AHEAD[side[0]]
        ahead = {
            item: (middle(item)[0] - middle(anchor)[0]) * x + (middle(item)[1] - middle(anchor)[1]) * y
            for item in picture.scene.objects
        }
        stated = [
            item
            for _, colour, kind in facts(sample.answer.text)
            for item in described(f"{colour} {kind}", tuple(ahead))
        ]
        assert max(ahead[item] for item in stated) > 0
        assert sum(number for number, _, _ in facts(sample.answer.text)) <= sum(value > 0 for value in ahead.values())


def test_a_lonely_house_has_nothing_beside_it():
    answers = {s.answer.text for seed in range(60) if (s := make_sample(picture_of(HOUSE), "relation", seed))}
    assert "Nothing." in answers
    assert all(answer == "Nothing." or answer.startswith("There is no ") for answer in answers)


@pytest.mark.parametrize(
    ("at", "where"), [((15, 50), "left of"), ((110, 52), "right of"), ((60, 8), "above"), ((58, 90), "below")]
)
def test_the_direction_of_two_things_is_told(at: tuple[int, int], where: str):
    picture = picture_of(HOUSE, thing("small blue solid fish", at))
    told = {s.answer.text for seed in range(60) if (s := make_sample(picture, "relation", seed))}
    assert {text for text in told if re.search(r"^It is .* the (red )?house", text)} <= {
        f"It is {where} the {n}." for n in ("house", "red house", "solid house", "red thing")
    }
    assert any(text.startswith(f"It is {where} the ") for text in told)
    assert told & {"A blue fish.", "A red house."}


def test_doubtful_neighbours_are_left_alone():
    picture = picture_of(HOUSE, thing("small blue solid fish", (66, 56)))
    told = {s.answer.text for seed in range(40) if (s := make_sample(picture, "relation", seed))}
    assert all(text.startswith(("There is no ", "Nothing.")) for text in told)
