"""Other domains have pictures and words of their own."""

import re

import numpy as np
import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.scene import KINDS
from visionllm.data.world.splits import picture_dice
from visionllm.data.world.staging.domains import fill_domain
from visionllm.data.world.staging.stamps import DOMAINS, stamp_item
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.data.world.words import NUMBERS, plural

EVERY = [(domain, kind) for domain, kinds in DOMAINS.items() for kind in kinds]
each_domain = pytest.mark.parametrize("domain", list(DOMAINS))
PICTURES = {domain: [draw_picture(s, split="test", version=2, theme=domain) for s in range(30)] for domain in DOMAINS}


@each_domain
def test_every_kind_of_a_domain_is_drawn_and_no_other(domain: str):
    pictures = [*PICTURES[domain], *(draw_picture(s, split="train", version=2, theme=domain) for s in range(60))]
    assert {thing.kind for picture in pictures for thing in picture.scene.finds} == set(DOMAINS[domain])
    assert all(picture.scene.objects == picture.scene.figures == () for picture in pictures)
    assert any(not picture.scene.finds for picture in pictures)


@pytest.mark.parametrize(("domain", "kind"), EVERY)
def test_a_stamp_covers_something_small(domain: str, kind: str):
    for seed in range(6):
        item = stamp_item(picture_dice(seed, "test"), kind, 128)
        assert 4 <= np.count_nonzero(item.patch) < 5000
        assert (item.kind, item.colour, item.shade) == (kind, "", item.rgb)


def test_a_kind_of_no_domain_is_refused():
    with pytest.raises(ValueError, match=r"expected one of the kinds house, .*, got 'star'"):
        stamp_item(picture_dice(0, "test"), "star", 128)


@each_domain
def test_crowded_pictures_hold_many_things(domain: str):
    counts = [len(fill_domain(picture_dice(s, "test"), domain, (128, 128), crowded=True)[1].items) for s in range(8)]
    assert sum(counts) / len(counts) >= 5


def test_ships_are_on_water_and_houses_on_land():
    for picture in PICTURES["aerial"]:
        kinds = {thing.kind for thing in picture.scene.finds}
        assert "ship" not in kinds or kinds == {"ship"}


def test_scans_are_grey():
    for picture in PICTURES["scan"]:
        assert (np.ptp(picture.pixels.astype(int), axis=2) <= 1).all()


@each_domain
def test_answers_say_what_is_there(domain: str):
    for seed, picture in enumerate(PICTURES[domain]):
        kinds = [thing.kind for thing in picture.scene.finds]
        caption = make_sample(picture, f"{domain}-caption", seed)
        assert caption
        said = caption.answer.text.lower()
        for kind in DOMAINS[domain]:
            spoken = re.search(
                rf"\b({kind}|{plural(kind)})\b", said.replace("missing screw", "gap") if kind == "screw" else said
            )
            assert bool(spoken) == (kind in kinds)
        detect = make_sample(picture, f"{domain}-detect", seed)
        assert detect
        if detect.detection is None:
            assert detect.answer.text.startswith("There is no ")
        else:
            label = detect.answer.parts[1].text  # pyright: ignore[reportAttributeAccessIssue]
            assert len(detect.detection.boxes) == kinds.count(label)


@each_domain
def test_counts_are_right(domain: str):
    for seed, picture in enumerate(PICTURES[domain]):
        sample = make_sample(picture, f"{domain}-count", seed)
        assert sample
        asked = sample.request.messages[0].text.lower()
        kind = next(kind for kind in sorted(DOMAINS[domain], key=len, reverse=True) if plural(kind) in asked)
        number = sum(thing.kind == kind for thing in picture.scene.finds)
        assert sample.answer.text == ("None." if not number else f"{NUMBERS[number].capitalize()}.")


def test_domains_ask_about_their_own_pictures_only():
    assert make_sample(PICTURES["scan"][0], "aerial-count", 0) is None
    assert len([name for name in families_of(2) if name.split("-")[0] in DOMAINS]) == 15
    assert not set(KINDS) & {"cell", "lesion", "scratch", "plane", "ship"}
