"""Questions about one picture, fresh and after it was opened: the same answers."""

import numpy as np
import pytest

from tests.predictor.test_core import BOAT, EVERYTHING, STAR, require_equal
from tests.small import picture, small_predictor
from visionllm.predictor import VisionLLM
from visionllm.predictor.tasks import class_passes
from visionllm.types import Answer, Box, Message, Options, Picture, Point, Polygon, Request, Scribble

CLASSES = ["star", "red fish", "boat", "key", "cup", "tree", "house", "car"]
WORDS = Options(max_new_tokens=7)


@pytest.fixture(scope="module", params=[False, True], ids=["batched", "deterministic"])
def model(request, predictor) -> VisionLLM:
    return VisionLLM(predictor.model, predictor.processor, deterministic=request.param)


def test_an_opened_picture_answers_as_a_fresh_one(model):
    opened, shown = model.open(picture()), picture()
    assert opened.ask("How many?", options=WORDS).text == model.ask("How many?", shown, options=WORDS).text
    pointed = opened.ask("What is this?", regions=[Point(3, 3), Box(1, 1, 9, 9)], options=WORDS)
    fresh = model.ask("What is this?", shown, regions=[Point(3, 3), Box(1, 1, 9, 9)], options=WORDS)
    assert pointed.text == fresh.text
    assert opened.caption(options=WORDS).text == model.caption(shown, options=WORDS).text
    region = Scribble(((2, 2), (20, 20)))
    assert (
        opened.describe_region(region, options=WORDS).text == model.describe_region(shown, region, options=WORDS).text
    )


def test_beams_and_samples_about_an_opened_picture_are_those_of_a_fresh_one(predictor):
    opened, shown = predictor.open(picture()), picture()
    for options in (Options(max_new_tokens=6, num_beams=3), Options(max_new_tokens=6, temperature=1.0, seed=4)):
        assert opened.ask("How many?", options=options).text == predictor.ask("How many?", shown, options=options).text


def test_an_opened_picture_finds_what_a_fresh_one_finds(model):
    opened, shown = model.open(picture()), picture()
    require_equal(opened.detect(CLASSES[:3], options=EVERYTHING), model.detect(shown, CLASSES[:3], options=EVERYTHING))
    require_equal(
        opened.segment(CLASSES[:2], options=EVERYTHING), model.segment(shown, CLASSES[:2], options=EVERYTHING)
    )
    require_equal(opened.refer("red fish", options=EVERYTHING), model.refer(shown, "red fish", options=EVERYTHING))
    regions = [Point(3, 3), Polygon(((1, 1), (20, 1), (9, 30)))]
    require_equal(opened.segment_regions(regions), model.segment_regions(shown, regions))


def test_an_opened_picture_decodes_what_its_answers_route(predictor, scripted):
    scripted({"Find both.": STAR, "Where is the boat?": BOAT})
    opened, shown = predictor.open(picture()), picture()
    for question in ("Find both.", "Where is the boat?"):
        fresh = predictor.ask(question, shown, options=EVERYTHING)
        again = opened.ask(question, options=EVERYTHING)
        assert again.text == fresh.text
        require_equal(again.detections, fresh.detections)


def test_earlier_turns_about_an_opened_picture_are_read(predictor, scripted):
    scripted({"Find both.": STAR, "Where is the boat?": BOAT})
    opened, shown = predictor.open(picture()), picture()
    first = opened.ask("Find both.", options=EVERYTHING)
    history = (Message("user", ("Find both.",)), first.message)
    again = opened.ask("Where is the boat?", history=history, options=EVERYTHING)
    spelled = (Message("user", (Picture(shown), "Find both.")), first.message)
    fresh = predictor.ask("Where is the boat?", history=spelled, options=EVERYTHING)
    require_equal(again.detections, fresh.detections)


def test_an_opened_picture_is_streamed_about(predictor):
    *pieces, answer = predictor.open(picture()).stream("How many?", options=WORDS)
    assert isinstance(answer, Answer)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.text


def test_requests_with_other_pictures_or_system_words_are_prepared_anew(predictor):
    opened = predictor.open(picture())
    asked = Message("user", (Picture(opened.image), "How many?"))
    assert opened.prepare([Request((asked,))]).cache is not None
    assert opened.prepare([Request((Message("system", ("Be brief.",)), asked))]).cache is None
    assert opened.prepare([Request((Message("user", (Picture(picture(seed=2)), "How many?")),))]).cache is None


def test_several_questions_about_an_opened_picture_make_one_batch(predictor):
    opened = predictor.open(picture())
    turns = [Message("user", (Picture(opened.image), words)) for words in ("How many?", "What is in the picture?")]
    answers = predictor._core.answer(opened.prepare([Request((turn,), WORDS) for turn in turns]))
    assert [a.text for a in answers] == [
        opened.ask(words, options=WORDS).text for words in ("How many?", "What is in the picture?")
    ]


def test_more_classes_than_a_pass_holds_are_found_over_a_shared_prefix(model):
    most = model.processor.config.classes_per_pass
    passes = class_passes(CLASSES, most)
    assert len(passes) == 3
    together = model.segment(picture(), CLASSES, options=Options(threshold=0, max_instances=60))
    assert together.class_names == tuple(CLASSES)
    for start, names in zip((0, 3, 6), passes, strict=True):
        alone = model.segment(picture(), names, options=Options(threshold=0, max_instances=60))
        own = together.select((together.class_ids >= start) & (together.class_ids < start + len(names)))
        kept = min(len(own), len(alone))
        np.testing.assert_allclose(own.boxes[:kept], alone.boxes[:kept], atol=0.01)
        np.testing.assert_allclose(own.scores[:kept], alone.scores[:kept], atol=1e-4)


def test_the_number_of_instances_is_limited_over_all_passes(predictor):
    found = predictor.detect(picture(), CLASSES, options=Options(threshold=0, max_instances=5))
    assert len(found) == 5
    assert (np.diff(found.scores) <= 0).all()


def test_boxes_come_without_masks_and_segments_with_them(predictor):
    assert predictor.detect(picture(), ["star"], options=EVERYTHING).masks is None
    masks = predictor.segment(picture(), ["star"], options=EVERYTHING).masks
    assert masks is not None and masks.shape[1:] == (40, 60)


def test_a_phrase_finds_one_thing_or_nothing(predictor):
    assert len(predictor.refer(picture(), "the red fish", options=Options(threshold=0))) == 1
    nothing = predictor.refer(picture(), "the red fish", options=Options(threshold=1.0))
    assert len(nothing) == 0 and nothing.class_names == ("the red fish",)


def test_every_region_gets_its_instance_in_order(predictor):
    regions = [Point(3, 3), Box(1, 1, 9, 9), Point(50, 30)]
    found = predictor.segment_regions(picture(), regions)
    assert found.class_ids.tolist() == [0, 1, 2]
    assert [i.label for i in found.instances] == ["region1", "region2", "region3"]
    assert len(predictor.segment_regions(picture(), regions, options=Options(threshold=1.0))) == 0


@pytest.mark.parametrize("opened", [False, True])
def test_regions_and_phrases_that_say_nothing_are_refused(opened, predictor):
    questions = predictor.open(picture()) if opened else predictor._questions(picture())
    with pytest.raises(ValueError, match="expected at least one region, got none"):
        questions.segment_regions([])
    with pytest.raises(ValueError, match="region 0: expected a point inside the 60×40 picture"):
        questions.segment_regions([Point(500, 3)])
    with pytest.raises(ValueError, match="expected a phrase with words, got ' '"):
        questions.refer(" ")
    with pytest.raises(ValueError, match="expected words in message 0, got an empty prompt"):
        questions.ask(" ")


@pytest.fixture(scope="module")
def full():
    return small_predictor(full=True)


def test_an_opened_picture_gives_the_poses_of_the_unopened_one(full):
    everything = Options(threshold=0, max_instances=3)
    fresh = full.pose(picture(), ["person", "dog"], ["nose", "tail"], options=everything)
    opened = full.open(picture()).pose(["person", "dog"], ["nose", "tail"], options=everything)
    assert fresh.keypoints.shape == (3, 2, 2)
    assert (fresh.class_names, fresh.keypoint_names) == (("person", "dog"), ("nose", "tail"))
    np.testing.assert_allclose(opened.keypoints, fresh.keypoints, atol=0.01)
    np.testing.assert_array_equal(opened.class_ids, fresh.class_ids)


def test_a_person_has_its_own_keypoints_and_bones(full):
    found = full.pose(picture(), ["person"], options=Options(threshold=0, max_instances=1))
    assert found.keypoint_names[:2] == ("nose", "left eye") and len(found.keypoint_names) == 17
    assert found.bones


@pytest.mark.parametrize(
    ("classes", "keypoints", "message"),
    [
        (["door"], None, "expected the names of keypoints for 'door', which has none by itself"),
        (["person"], [], r"expected a list of at least one keypoint name, got \[\]"),
        (["person"], ["nose", "nose"], "expected different keypoint names, got 'nose' twice"),
        (["person"], ["nose", " "], "expected words in keypoint name 1"),
        ([], ["nose"], "expected a list of at least one class name"),
        (["person"], "nose", "expected a list of at least one keypoint name, got 'nose'"),
        (["person"], [f"place {i}" for i in range(18)], "expected at most 17 keypoint names, .*, got 18"),
    ],
)
def test_questions_for_keypoints_that_say_nothing_are_refused(full, classes, keypoints, message):
    with pytest.raises(ValueError, match=message):
        full.pose(picture(), classes, keypoints)


def test_a_model_without_a_pose_decoder_says_so(predictor):
    with pytest.raises(ValueError, match="expected a model with a pose decoder"):
        predictor.pose(picture(), ["person"], ["nose"])


def test_an_opened_picture_is_edited_like_an_unopened_one(full):
    fresh, opened = full.edit(picture(), "Make it blue."), full.open(picture()).edit("Make it blue.")
    assert fresh.labels == ("Make it blue.",)
    assert np.abs(fresh.pictures[0].astype(int) - opened.pictures[0]).max() <= 1


def test_a_caption_makes_the_same_picture_for_the_same_seed(full):
    one, same, other = (full.generate("a star", options=Options(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.pictures[0], same.pictures[0])
    assert (one.pictures[0] != other.pictures[0]).any()
    assert one.labels == ("Draw a star.",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(size_hw=(15, 16)), "expected a picture size of multiples of 2 pixels, .*, got 15×16"),
        (Options(steps=1001), "expected at most 1000 steps, as many as noise grew in, got 1001"),
        (Options(scheduler="Magic"), "expected a scheduler among .*, got 'Magic'"),
    ],
)
def test_pictures_that_cannot_be_made_are_refused(full, options, message):
    with pytest.raises(ValueError, match=message):
        full.generate("a star", options=options)
    with pytest.raises(ValueError, match=message):
        full.edit(picture(), "Make it blue.", options=options)


def test_a_model_that_makes_no_pictures_says_so(predictor):
    with pytest.raises(ValueError, match="expected a model that makes pictures"):
        predictor.generate("a star")
    with pytest.raises(ValueError, match="expected words for a picture, got"):
        predictor.generate(" . ")


def test_an_edit_of_a_region_keeps_every_pixel_outside(full):
    made = full.edit(picture(), "Make this blue", regions=[Box(0, 0, 20, 40)]).pictures[0]
    np.testing.assert_array_equal(made[:, 20:], np.asarray(picture())[:, 20:])
    assert (made[:, :20] != np.asarray(picture())[:, :20]).any()
