"""Answers are shown what they are about to name or mark."""

import pytest

from visionllm.config import IMAGE_TOKEN
from visionllm.data.world import draw_picture
from visionllm.data.world.tasks import ALL_FAMILIES, make_sample
from visionllm.training.guided_answers import GuidedAnswers, spans_of
from visionllm.training.guided_attention import GuidedAttention
from visionllm.training.picture_cells import anchored, owner_map
from visionllm.training.readings import READINGS
from visionllm.types import Routed


@pytest.fixture(scope="module")
def processor(run):
    return run.processor()


@pytest.fixture(scope="module")
def answers(processor):
    return GuidedAnswers(GuidedAttention(processor.vocabulary, 128, 16), processor.vocabulary)


def cases(family, count=4):
    about = ALL_FAMILIES[family]
    seeds = range(80)
    drawn = ((s, draw_picture(s, photos=False, version=about.version, theme=about.theme)) for s in seeds)
    made = ((picture, make_sample(picture, family, seed)) for seed, picture in drawn)
    return [(picture, sample) for picture, sample in made if sample is not None][:count]


def looked_at(processor, answers, picture, sample):
    """Return the written row's ids and, for each guided token, the picture tokens it should look at."""
    patch = processor.vocabulary.token_id(IMAGE_TOKEN)
    batch = processor.train_batch([[sample]])
    ids = batch.inputs.input_ids[0].tolist()
    looks = answers.targets(batch, patch, [(picture, [sample])]).tensors()
    first = ids.index(patch)
    assert looks.weights.sum(1).numpy() == pytest.approx(1)
    found = {
        at: {i - first for i in weights.nonzero()[:, 0].tolist() if i}
        for (_, at), weights in zip(looks.places.tolist(), looks.weights, strict=True)
    }
    return ids, found


def anchors_of(picture, things):
    every = picture.scene.things
    _, anchors = anchored(owner_map(picture, 128), len(every), 16)
    return {int(a) for a, thing in zip(anchors, every, strict=True) if thing in things and a >= 0}


@pytest.mark.parametrize("family", ["refer-attribute", "refer-relation", "refer-ordinal"])
def test_an_answer_that_points_looks_at_its_object_from_the_beginning_to_the_last_slot(processor, answers, family):
    for picture, sample in cases(family):
        ids, found = looked_at(processor, answers, picture, sample)
        assert sample.detection is not None
        box = tuple(sample.detection.boxes[0].tolist())
        wanted = anchors_of(picture, [o for o in picture.scene.objects if tuple(map(float, o.box)) == box])
        token = ids.index(processor.vocabulary.token_id("[GRD]"))
        slots = processor.vocabulary.slot_ids("[GRD]")
        answer = ids.index(processor.vocabulary.encode("Here")[0], 0)
        assert set(found) == set(range(answer - 1, token + len(slots) + 1))
        assert all(tokens == wanted for tokens in found.values())


def test_an_answer_that_denies_looks_at_no_object(processor, answers):
    for picture, sample in cases("refer-nothing"):
        _, found = looked_at(processor, answers, picture, sample)
        assert found
        assert not set().union(*found.values())


def test_a_routed_class_looks_at_all_its_objects(processor, answers):
    for picture, sample in cases("detect-one"):
        if sample.detection is None:
            continue
        ids, found = looked_at(processor, answers, picture, sample)
        boxes = {tuple(box) for box in sample.detection.boxes.tolist()}
        wanted = anchors_of(picture, [o for o in picture.scene.objects if tuple(map(float, o.box)) in boxes])
        assert found[ids.index(processor.vocabulary.token_id("[DET]"))] == wanted


def test_a_caption_looks_at_what_it_names_next(processor, answers):
    for picture, sample in cases("caption"):
        ids, found = looked_at(processor, answers, picture, sample)
        phrases = list(answers.guide.phrases(ids))
        assert len(found) >= len(phrases)
        for start, _, phrase in phrases:
            assert found[start - 1] == anchors_of(picture, phrase.among(picture.scene.objects))


def test_a_question_narrows_what_an_answer_means(processor, answers):
    told = 0
    for picture, sample in cases("kind", 12):
        question = "".join(message.text for message in sample.request.messages)
        asked = [phrase for _, _, phrase in answers.guide.phrases(processor.vocabulary.encode(question))]
        alone = [phrase.among(picture.scene.objects) for phrase in asked]
        if "no" in sample.answer.text or len(alone) != 1 or len(alone[0]) != 1:
            continue
        _, found = looked_at(processor, answers, picture, sample)
        told += 1
        assert all(tokens == anchors_of(picture, alone[0]) for tokens in found.values())
    assert told


def test_answers_about_regions_are_left_to_the_region(processor, answers):
    for picture, sample in cases("region-caption"):
        assert looked_at(processor, answers, picture, sample)[1] == {}


def test_rows_without_a_picture_are_left_out(processor, answers):
    ((picture, sample), *_) = cases("chat")
    assert not sample.request.pictures
    batch = processor.train_batch([[sample]])
    assert len(answers.targets(batch, 3, [(None, [sample])]).tensors().places) == 0
    assert picture


def test_a_span_of_a_pose_stands_for_its_figures_and_a_keypoint_for_all_of_them():
    for picture, sample in cases("pose-several", 8):
        if "pose" not in sample.truth:
            continue
        names = [part for part in sample.answer.parts if isinstance(part, Routed)]
        spans = spans_of(sample, picture)
        asked = [things for things, name in zip(spans, names, strict=True) if name.token == "[DET]"]
        for things, name in zip(spans, names, strict=True):
            if name.token == "[DET]":
                assert things == [figure for figure in picture.scene.figures if figure.kind == name.text]
            else:
                assert things == [figure for some in asked for figure in some]


def test_the_sign_that_is_found_and_what_is_read_are_looked_at(run):
    processor = run.processor()
    answers = GuidedAnswers(GuidedAttention(processor.vocabulary, 128, 16, READINGS[2]), processor.vocabulary)
    found = 0
    for picture, sample in cases("find-sign", 8):
        ids, seen = looked_at(processor, answers, picture, sample)
        if sample.detection is None:
            assert not set().union(*seen.values())
            continue
        box = tuple(sample.detection.boxes[0].tolist())
        wanted = anchors_of(picture, [sign for sign in picture.scene.signs if tuple(map(float, sign.box)) == box])
        assert seen[ids.index(processor.vocabulary.token_id("[GRD]"))] == wanted
        found += 1
    assert found
    for picture, sample in cases("read-sign", 8):
        _, seen = looked_at(processor, answers, picture, sample)
        said = [sign for sign in picture.scene.signs if f'"{sign.text}"' in sample.answer.text]
        if len(said) == 1 and len(picture.scene.signs) == 1:
            assert set(map(frozenset, seen.values())) == {frozenset(anchors_of(picture, said))}
