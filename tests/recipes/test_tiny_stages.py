"""The stages of the embedded model's recipe hold together."""

from itertools import islice

import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.tasks import ALL_FAMILIES, FAMILIES, make_sample
from visionllm.recipes.tiny_stages import EASY, KNOWN, LANGUAGE, OPENED, REGION, ROUTED, SECOND, STAGES, TALK
from visionllm.types import Routed


def test_every_stage_takes_over_from_stages_before_it():
    done: set[str] = set()
    for stage in STAGES:
        assert {name for source in stage.start.values() for name in source.split(":")[0].split("+")} <= done
        done.add(stage.name)
    names = [stage.name for stage in STAGES]
    first = ["tower", "expert", "projector", "chat", "joined", "together", "language", "decoders"]
    experts = ["wide-tower", "letter-tower", "wide-expert", "vae", "pose-expert", "draw-expert", "edit-expert"]
    joined = ["wide-language", "more-language", "last-language", "wide-decoders", "mappers", "more-poses"]
    assert names == [*first, *experts, "draw-shapes", "draw-more", "edit-shapes", *joined]


def test_every_family_is_trained_and_known():
    assert {*EASY, *TALK, *REGION, *ROUTED, *KNOWN} == set(FAMILIES)
    assert {*LANGUAGE, *SECOND} == set(ALL_FAMILIES)


def test_stages_draw_different_pictures():
    alone = [stage for stage in STAGES if not stage.themes and stage.objective in ("tower", "expert", "tasks")]
    again = ("more-language", "last-language", "mappers", "more-poses")  # there are ten seeds only
    first = [stage.seed for stage in alone if stage.name not in again]
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("family", OPENED)
def test_decoders_are_taught_by_answers_that_open_them(family):
    of = ALL_FAMILIES[family]
    theme = {} if of.version == 1 else {"version": 2, "theme": of.theme}
    pictures = (draw_picture(seed, split="validation", photos=False, **theme) for seed in range(40))
    answers = (found.answer for picture in pictures if (found := make_sample(picture, family, 0)) is not None)
    some = list(islice(answers, 8))
    opening = [any(isinstance(part, Routed) for part in answer.parts) for answer in some]
    assert some
    assert any(opening) != family.endswith("-nothing")
