"""Jobs become prompts with names that say what may be shared."""

import time

import pytest

from tests.small import picture
from visionllm.engine import Creation, Job, Perception, Ticket
from visionllm.engine.intake import Intake, Work
from visionllm.engine.pictures import PictureKeys
from visionllm.predictor import VisionLLM
from visionllm.types import Box, Example, Message, Options, Picture, Request, ask


@pytest.fixture
def intake(full: VisionLLM) -> Intake:
    return Intake(full.core, PictureKeys(b"salt", "model"), batches=True)


def taken(intake: Intake, job: Job, tenant: str = "") -> Work:
    return intake.take(job, tenant, Ticket("job", 100), time.monotonic() + 60)


def prefix(intake: Intake, job: Job, tenant: str = "") -> bytes:
    return taken(intake, job, tenant).rows[0].prompt.prefix


def test_questions_about_one_picture_share_a_prefix_and_others_do_not(intake: Intake):
    shown = picture()
    name = prefix(intake, ask("How many?", shown))
    assert prefix(intake, ask("Where?", shown.copy(), regions=(Box(1, 1, 9, 9),))) == name
    assert prefix(intake, Perception(task="detect", image=shown, names=("star",))) == name
    assert prefix(intake, ask("How many?", picture(seed=1))) != name
    assert prefix(intake, ask("How many?", shown), "tenant") != name
    system = Request((Message("system", ("Be short.",)), Message("user", (Picture(shown), "How many?"))))
    assert prefix(intake, system) != name
    assert prefix(intake, ask("How many?")) == prefix(intake, ask("Where?")) != name


def test_pictures_behind_the_first_words_are_no_part_of_the_prefix(intake: Intake):
    first, second, third = (picture(seed=seed) for seed in range(3))
    both = Request((Message("user", (Picture(first), "and", Picture(second), "?")),))
    other = Request((Message("user", (Picture(first), "and", Picture(third), "?")),))
    turned = Request((Message("user", (Picture(third), "and", Picture(second), "?")),))
    assert prefix(intake, both) == prefix(intake, other) != prefix(intake, turned)
    leading = Request((Message("user", (Picture(first), Picture(second), "?")),))
    assert prefix(intake, leading) != prefix(intake, Request((Message("user", (Picture(first), Picture(third), "?")),)))
    names = taken(intake, both).rows[0].prompt
    assert len(set(names.pictures)) == 2 and len(names.images) == 1


def test_a_long_list_of_classes_becomes_several_rows(intake: Intake):
    work = taken(intake, Perception(task="segment", image=picture(), names=("a", "b", "c", "d")))
    assert len(work.rows) == 2 and not work.answerings and work.task is not None
    assert [row.ended for row in work.rows] == [True, True]
    assert work.task.requests[0].options.masks
    boxes = taken(intake, Perception(task="detect", image=picture(), names=("a",))).task
    assert boxes is not None and not boxes.requests[0].options.masks


def test_free_tasks_are_written_and_known_ones_read(intake: Intake):
    known = taken(intake, Creation(words="a star"))
    free = taken(intake, Creation(words="a star", options=Options(protocol="free")))
    assert (known.rows[0].prompt.writes, free.rows[0].prompt.writes) == (False, True)
    assert len(free.answerings) == 1 and not free.answerings[0].tells


def test_what_cannot_share_a_batch_runs_alone(intake: Intake, full: VisionLLM):
    beams = Options(num_beams=2, max_new_tokens=4)
    example = Example(picture(), Box(1, 1, 9, 9))
    assert taken(intake, ask("How many?", options=beams)).alone is not None
    assert taken(intake, Perception(task="find", image=picture(), examples=(example,), options=beams)).alone is None
    free = Options(num_beams=2, protocol="free")
    assert taken(intake, Perception(task="detect", image=picture(), names=("a",), options=free)).alone is not None
    assert taken(intake, Perception(task="semantic", image=picture(), names=("a",))).alone is not None
    exact = VisionLLM(full.model, full.processor, deterministic=True)
    other = Intake(exact.core, intake.keys, batches=True)
    assert taken(other, Creation(words="a star")).alone is not None
    assert taken(other, ask("How many?")).alone is None
    assert taken(Intake(full.core, intake.keys, batches=False), ask("How many?")).alone is not None
