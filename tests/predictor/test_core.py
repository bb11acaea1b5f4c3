"""Requests through the network: batches equal singles, and what is routed is decoded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small import picture, pictures, small_model, small_predictor, small_processor, written
from visionllm.predictor import VisionLLM, core
from visionllm.predictor.core import Prepared, spread
from visionllm.predictor.photos import NOTICE
from visionllm.processing import DecoderImageConfig, VisionLLMProcessor
from visionllm.types import Answer, Box, Detections, Message, Options, Picture, Point, Request, Routed, ask

EVERYTHING = Options(threshold=0, max_instances=7, max_new_tokens=6)
STAR = ("Here you go: ", "<det>", "star", "</det>", "[DET]", ", ", "<det>", "red fish", "</det>", "[DET]", ".")
TWO = ("<det>", "star", "</det>", "[DET]", ". ", "<det>", "fish", "</det>", "[SEG]", "!")
BOAT = ("Here it is ", "[GRD]", ".")
PLAIN = ("Two.",)


def require_equal(one: Detections | None, other: Detections | None, *, exactly: bool = False) -> None:
    assert one is not None and other is not None
    assert one.class_names == other.class_names and one.spans == other.spans and one.routes == other.routes
    np.testing.assert_array_equal(one.class_ids, other.class_ids)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0 if exactly else 0.01, rtol=0)
    np.testing.assert_allclose(one.scores, other.scores, atol=0 if exactly else 1e-4, rtol=0)
    if one.masks is not None or other.masks is not None:
        assert one.masks is not None and other.masks is not None
        assert np.mean(one.masks != other.masks) <= (0 if exactly else 1e-3)


def test_what_the_answer_routes_is_decoded_with_its_words_and_spans(predictor, scripted):
    scripted({"Find both.": STAR})
    answer = predictor.ask("Find both.", picture(), options=EVERYTHING)
    assert answer.text == "Here you go: star, red fish."
    found = answer.detections
    assert found is not None and found.class_names == ("star", "red fish")
    assert {answer.text[slice(*i.span)] for i in found.instances if i.span} <= {"star", "red fish"}
    assert found.size_hw == (40, 60)
    assert found.masks is not None and found.masks.shape[1:] == (40, 60)


def test_groups_of_two_sentences_are_decoded_apart_and_joined(predictor, scripted):
    scripted({"Both?": TWO, "One?": TWO[:5]})
    both = predictor.ask("Both?", picture(), options=EVERYTHING).detections
    assert both is not None
    assert both.class_names == ("star", "fish") and both.routes == ("[DET]", "[SEG]")
    assert len(both) == EVERYTHING.max_instances
    assert (np.diff(both.scores) <= 0).all()


def test_a_grounding_token_gives_one_instance_called_by_the_phrase(predictor, scripted):
    scripted({"Where is the boat?": BOAT})
    answer = predictor.ask("Where is the boat?", picture(), options=EVERYTHING)
    assert answer.text == "Here it is."
    assert answer.detections is not None
    assert [i.label for i in answer.detections.instances] == ["the boat"]


def test_what_the_answer_says_is_there_is_found_at_any_score(predictor, scripted):
    pair = ("<det>", "region1", "</det>", "[DET]", " and ", "<det>", "region2", "</det>", "[DET]", ".")
    scripted({"Where is the boat?": BOAT, "Segment both.": pair, "Find both.": STAR})
    high = Options(threshold=1.0)
    for question, count in (("Where is the boat?", 1), ("Segment both.", 2)):
        found = predictor.ask(question, picture()).detections
        assert found is not None and sorted(found.class_ids.tolist()) == list(range(count))
        assert len(predictor.ask(question, picture(), options=high).detections) == 0
    assert len(predictor.ask("Find both.", picture(), options=high).detections) == 0
    named = predictor.ask("Find both.", picture()).detections
    assert named is not None and set(named.class_ids.tolist()) == {0, 1}


def test_a_routing_token_without_a_picture_is_text_only(predictor, scripted):
    scripted({"Find both.": STAR})
    answer = predictor.ask("Find both.")
    assert answer.text == "Here you go: star, red fish."
    assert answer.detections is None


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_mixed_batch_gives_the_answers_of_its_rows_alone(predictor, scripted, deterministic):
    model = VisionLLM(predictor.model, predictor.processor, deterministic=deterministic)
    scripted({"Find both.": STAR, "How many?": PLAIN, "Two units?": TWO, "Where is the boat?": BOAT, "Hello.": PLAIN})
    shown = pictures(3)
    requests = [
        ask("Find both.", shown[0], options=EVERYTHING),
        ask("How many?", shown[1], regions=(Point(3, 3),), options=EVERYTHING),
        ask("Hello."),
        ask("Two units?", shown[2], regions=(Point(9, 9),), options=EVERYTHING),
        ask("Where is the boat?", shown[1], options=Options(threshold=0)),
    ]
    together = model.answer(requests)
    alone = [model.answer([request])[0] for request in requests]
    assert [a.text for a in together] == [a.text for a in alone]
    for row in (0, 3, 4):
        require_equal(together[row].detections, alone[row].detections, exactly=deterministic)
    assert together[1].detections is None and together[2].detections is None


def test_a_history_with_routed_words_is_read_and_not_decoded_again(predictor, scripted):
    scripted({"Find both.": STAR, "And the boat?": BOAT})
    shown = picture()
    first = predictor.ask("Find both.", shown, options=EVERYTHING)
    history = (Message("user", (Picture(shown), "Find both.")), first.message)
    second = predictor.ask("And the boat?", history=history, options=EVERYTHING)
    assert second.detections is not None
    assert second.detections.class_names == ("And the boat",)
    assert [part for part in first.message.parts if isinstance(part, Routed)] == [
        Routed("star", "[DET]"),
        Routed("red fish", "[DET]"),
    ]


def test_generated_answers_of_a_batch_are_those_of_its_rows(predictor):
    requests = [ask("How many?", image, options=Options(max_new_tokens=8)) for image in pictures(3)]
    requests += [ask("Hello there.", options=Options(max_new_tokens=5))]
    together = predictor.answer(requests, batch_size=4)
    assert [a.text for a in together] == [predictor.answer([request])[0].text for request in requests]
    assert [a.tokens for a in together] == [8, 8, 8, 5]
    assert {a.finish_reason for a in together} == {"length"}


def test_no_requests_get_no_answers(predictor):
    assert predictor.answer([]) == []


def test_a_stream_ends_with_the_answer_whose_text_it_gave(predictor):
    options = Options(max_new_tokens=9)
    *pieces, answer = predictor.stream("How many?", picture(), options=options)
    assert isinstance(answer, Answer)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.text
    assert answer.text == predictor.ask("How many?", picture(), options=options).text


def test_a_stream_decodes_what_was_routed(predictor, monkeypatch):
    whole = written(predictor.processor.vocabulary, *STAR)
    monkeypatch.setattr(core, "stream", lambda *_, **__: iter([*whole.ids, whole]))
    *pieces, answer = predictor.stream("Find both.", picture(), options=EVERYTHING)
    assert pieces[0] == "Here"
    assert "".join(pieces) == "Here you go: star, red fish."
    assert isinstance(answer, Answer) and answer.detections is not None
    assert answer.detections.class_names == ("star", "red fish")


def test_a_model_without_a_detector_says_so():
    processor = small_processor()
    talker = VisionLLM(small_model(processor, decoders={}), processor)
    assert talker.ask("How many?", picture(), options=Options(max_new_tokens=3)).detections is None
    with pytest.raises(ValueError, match="expected a model with a detector"):
        talker.detect(picture(), ["star"])


def test_some_rows_of_a_prepared_batch_keep_their_pictures_and_regions(predictor):
    shown = pictures(3)
    requests = [
        Request((Message("user", (Picture(shown[0]), Picture(shown[1]), "Compare.")),)),
        ask("Hello."),
        ask("What?", shown[2], regions=(Point(1, 1), Point(5, 5))),
    ]
    whole = predictor._core.prepare(requests)
    part = whole.rows([2, 1])
    alone = predictor._core.prepare([requests[2]])
    assert part.encoded is not None and alone.encoded is not None
    torch.testing.assert_close(part.encoded.tokens, alone.encoded.tokens)
    assert part.inputs.region_pictures is not None and part.inputs.region_pictures.tolist() == [0, 0]
    assert whole.rows([1]).encoded is None
    assert isinstance(part, Prepared) and part.requests == (requests[2], requests[1])


def test_a_notice_is_given_by_a_model_of_drawings_that_sees_a_photo():
    model = small_predictor(drawings_only=True)
    soft = picture(4, 4, seed=3).resize((128, 128))
    options = Options(max_new_tokens=2, threshold=0)
    assert model.ask("What?", soft, options=options).notices == (NOTICE,)
    assert model.detect(soft, ["star"], options=options).notices == (NOTICE,)
    assert model.open(soft).ask("What?", options=options).notices == (NOTICE,)
    assert model.ask("What?", soft.resize((1, 1)), options=options).notices == ()
    assert model.ask("Hello.", options=options).notices == ()


def test_a_cache_is_spread_over_rows_without_being_changed(predictor):
    seen = predictor.open(picture()).seen
    before = seen.cache.get_seq_length()
    several = spread(seen.cache, 3)
    assert several is not None
    more = torch.zeros(3, 2, 4, 16)
    keys, _ = several.update(more, more, 0)
    assert keys.shape == (3, 2, before + 4, 16)
    assert seen.cache.get_seq_length() == before
    assert spread(None, 2) is None


PERSON = ("<det>", "person", "</det>", "[DET]", ". Keypoints: ", "<det>", "nose", "</det>", "[POSE]", ".")


@pytest.fixture(scope="module")
def full():
    return small_predictor(full=True)


def test_keypoints_of_an_answer_come_as_poses_with_names_and_spans(full, monkeypatch):
    vocabulary = full.processor.vocabulary
    monkeypatch.setattr(core, "generate", lambda *_, **__: [written(vocabulary, *PERSON)])
    answer = full.ask("Mark the nose of each person.", picture(), options=EVERYTHING)
    (poses,) = answer.poses
    assert answer.detections is None
    assert answer.text == "person. Keypoints: nose."
    assert (poses.class_names, poses.keypoint_names) == (("person",), ("nose",))
    assert 0 < len(poses) <= EVERYTHING.max_instances
    assert answer.text[slice(*poses.spans[0])] == "person"
    assert [part.token for part in answer.parts if isinstance(part, Routed)] == ["[DET]", "[POSE]"]


def test_one_answer_may_find_boxes_and_another_poses(full, monkeypatch):
    vocabulary = full.processor.vocabulary
    rows = [written(vocabulary, *PERSON), written(vocabulary, *STAR)]
    monkeypatch.setattr(core, "generate", lambda *_, **__: rows)
    first, second = full.answer([ask("One.", picture()), ask("Two.", picture())])
    assert first.poses and first.detections is None
    assert second.detections is not None and not second.poses


def test_a_picture_of_an_answer_needs_no_picture_in_the_question(full, monkeypatch):
    vocabulary = full.processor.vocabulary
    monkeypatch.setattr(core, "generate", lambda *_, **__: [written(vocabulary, "Here it is ", "[GEN]", ".")])
    answer = full.ask("Draw a red star.", options=Options(seed=5))
    (made,) = answer.pictures
    assert answer.text == "Here it is."
    assert (made.seeds, made.original_hw) == ((5,), None)
    assert answer.render().size[0] >= 24
    again = full.ask("Draw a red star.", options=Options(seed=5)).pictures[0]
    np.testing.assert_array_equal(again.pictures[0], made.pictures[0])


def test_an_edited_picture_of_an_answer_stands_beside_its_original(full, monkeypatch):
    vocabulary = full.processor.vocabulary
    monkeypatch.setattr(core, "generate", lambda *_, **__: [written(vocabulary, "Here it is ", "[EDIT]", ".")])
    answer = full.ask("Make it blue.", picture())
    assert answer.pictures[0].original_hw == (40, 60)
    assert answer.detections is None
    assert answer.render(picture()).width > picture().width * 2


def test_an_answer_that_edits_what_was_marked_keeps_every_pixel_outside(full, monkeypatch):
    vocabulary = full.processor.vocabulary
    monkeypatch.setattr(core, "generate", lambda *_, **__: [written(vocabulary, "Here it is ", "[EDIT]", ".")])
    made = full.ask("Make this blue.", picture(), regions=[Box(0, 0, 20, 40)]).pictures[0].pictures[0]
    np.testing.assert_array_equal(made[:, 20:], np.asarray(picture())[:, 20:])
    assert (made[:, :20] != np.asarray(picture())[:, :20]).any()


SHOWN = {"draw": None, "pose": 1, "find": 2, "talk": 3, "edit": 2, "find again": 1}
WRITTEN = {
    "draw": ("Here it is ", "[GEN]", "."),
    "pose": PERSON,
    "find": STAR,
    "talk": PLAIN,
    "edit": ("Done ", "[EDIT]", "."),
    "find again": TWO,
}


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_batch_mixes_words_boxes_poses_and_pictures_as_its_rows_alone(full, monkeypatch, deterministic):
    model = VisionLLM(full.model, full.processor, deterministic=deterministic)
    vocabulary, shown, asked = full.processor.vocabulary, pictures(4), []
    monkeypatch.setattr(core, "generate", lambda *_, **__: [written(vocabulary, *WRITTEN[word]) for word in asked])

    def answers(*words: str) -> list[Answer]:
        asked[:] = words
        seen = [None if (place := SHOWN[word]) is None else shown[place] for word in words]
        return model.answer([ask(word, image, options=EVERYTHING) for word, image in zip(words, seen, strict=True)])

    mixed = dict(zip(WRITTEN, answers(*WRITTEN), strict=True))
    alone = {word: answers(word)[0] for word in WRITTEN}
    assert {word for word, answer in mixed.items() if answer.pictures} == {"draw", "edit"}
    for word in ("draw", "edit"):
        one, other = (found[word].pictures[0].pictures[0].astype(int) for found in (mixed, alone))
        assert np.abs(one - other).max() <= (0 if deterministic else 1)
    one, other = (found["pose"].poses[0] for found in (mixed, alone))
    np.testing.assert_allclose(one.keypoints, other.keypoints, rtol=0, atol=0 if deterministic else 0.01)
    np.testing.assert_allclose(one.boxes, other.boxes, rtol=0, atol=0 if deterministic else 0.01)
    for word in ("find", "find again"):
        require_equal(mixed[word].detections, alone[word].detections, exactly=deterministic)
    assert [answer.text for answer in mixed.values()] == [answer.text for answer in alone.values()]


def test_a_decoder_with_pictures_of_its_own_sees_those_and_no_other_does(full):
    config, smaller = full.processor.config, DecoderImageConfig(short_side=None, long_side=48, size_divisor=16)
    assert config.decoder is not None
    found = {}
    for name, change in {
        "own": {"decoder_by_name": {"pose": smaller}},
        "all": {"decoder": smaller},
        "none": {},
    }.items():
        processor = VisionLLMProcessor(replace(config, **change), full.processor.tokenizer)
        model = VisionLLM(full.model, processor)
        boxes = model.detect(picture(), ["star"], options=EVERYTHING).boxes
        found[name] = boxes, model.pose(picture(), ["person"], ["nose"], options=EVERYTHING).keypoints
    np.testing.assert_array_equal(found["own"][0], found["none"][0])
    np.testing.assert_array_equal(found["own"][1], found["all"][1])
    assert not np.array_equal(found["none"][1], found["all"][1])
