"""Answers read from ids: text, routed spans, labels; and results given their words."""

import numpy as np
import pytest

from visionllm.answers import attach, attach_pictures, attach_poses, compose, last_question, phrase_of, read_answer
from visionllm.processing import PUBLISHED, ROUTES, TABLES, Prompts, Vocabulary, train_tokenizer
from visionllm.types import Detections, GeneratedImages, Message, Poses, Route, Routed

GEN = Route(token="[GEN]", table="gen", decoder="generation", picture=False)
POSE = Route(token="[POSE]", table="pose", decoder="pose")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    lines = ["Yes, here are the results for red star, blue fish in the image.", "Here you go: star. Here it is."] * 3
    return Vocabulary(train_tokenizer(lines, 400), tables={**TABLES, "pose": 4, "gen": 4}, routes=(*ROUTES, POSE, GEN))


def ids_of(vocabulary: Vocabulary, *pieces: str) -> list[int]:
    """Text as ids, structure as its id, routing tokens with their slots."""
    ids: list[int] = []
    for piece in pieces:
        if piece in vocabulary.routes:
            ids += [vocabulary.token_id(piece), *vocabulary.slot_ids(piece)]
        elif vocabulary.is_structure(piece):
            ids.append(vocabulary.token_id(piece))
        else:
            ids += vocabulary.encode(piece)
    return ids


def found(class_ids: list[int], *, groups: int, token: str = "[DET]") -> Detections:
    n = len(class_ids)
    return Detections(
        boxes=np.tile(np.array([0, 0, 2, 2], dtype=np.float32), (n, 1)),
        scores=np.linspace(0.9, 0.5, n, dtype=np.float32),
        class_ids=np.array(class_ids, dtype=np.int64),
        size_hw=(4, 4),
        routes=(token,) * groups,
    )


def test_plain_text_has_no_parts(vocabulary):
    reading = read_answer(ids_of(vocabulary, "Two."), vocabulary)
    assert (reading.text, reading.parts, reading.routed) == ("Two.", (), ())


def test_no_ids_are_an_empty_answer(vocabulary):
    assert read_answer([], vocabulary).text == ""


def test_wrapped_words_are_the_label_and_the_span(vocabulary):
    ids = ids_of(
        vocabulary,
        "Here you go: ",
        "<det>",
        "red star",
        "</det>",
        "[DET]",
        ", ",
        "<det>",
        "fish",
        "</det>",
        "[SEG]",
        ".",
    )
    reading = read_answer(ids, vocabulary)
    assert reading.text == "Here you go: red star, fish."
    assert [(r.label, r.token, reading.text[slice(*r.span)]) for r in reading.routed] == [
        ("red star", "[DET]", "red star"),
        ("fish", "[SEG]", "fish"),
    ]
    assert [ids[r.position] for r in reading.routed] == [vocabulary.token_id("[DET]"), vocabulary.token_id("[SEG]")]
    assert reading.parts == ("Here you go: ", Routed("red star", "[DET]"), ", ", Routed("fish", "[SEG]"), ".")


def test_blanks_inside_the_wrapping_belong_to_the_text_only(vocabulary):
    ids = ids_of(vocabulary, "See", "<det>", " a star", "</det>", "[DET]", " here.")
    reading = read_answer(ids, vocabulary)
    assert reading.text == "See a star here."
    assert reading.routed[0].label == "a star"
    assert reading.text[slice(*reading.routed[0].span)] == "a star"


def test_wrapped_words_without_a_routing_token_are_text(vocabulary):
    reading = read_answer(ids_of(vocabulary, "See ", "<det>", "a star", "</det>", " there."), vocabulary)
    assert (reading.text, reading.routed) == ("See a star there.", ())


def test_words_between_the_wrapping_and_the_token_break_them_apart(vocabulary):
    ids = ids_of(vocabulary, "<det>", "star", "</det>", ", and fish", "[DET]", ".")
    assert read_answer(ids, vocabulary).routed[0].label == "fish"


def test_a_grounding_token_is_called_by_the_users_phrase(vocabulary):
    ids = ids_of(vocabulary, "Here it is ", "[GRD]", ".")
    reading = read_answer(ids, vocabulary, prompts=Prompts(), question="Where is the red star?")
    assert reading.text == "Here it is."
    assert reading.routed[0].label == "the red star"
    assert reading.text[slice(*reading.routed[0].span)] == "Here it is"
    assert reading.parts == ("Here it is ", Routed("", "[GRD]"), ".")


def test_a_routing_token_alone_has_an_empty_span(vocabulary):
    reading = read_answer(ids_of(vocabulary, "[GRD]"), vocabulary, question="the red star")
    assert (reading.text, reading.routed[0].span, reading.routed[0].label) == ("", (0, 0), "the red star")


def test_a_published_list_is_read_by_its_template(vocabulary):
    ids = ids_of(
        vocabulary, "Yes, here are the results for red star", "[DET]", ", blue fish", "[DET]", " in the image."
    )
    reading = read_answer(ids, vocabulary, prompts=PUBLISHED)
    assert reading.text == "Yes, here are the results for red star, blue fish in the image."
    assert [r.label for r in reading.routed] == ["red star", "blue fish"]
    assert [reading.text[slice(*r.span)] for r in reading.routed] == ["red star", "blue fish"]
    assert reading.parts[:2] == ("Yes, here are the results for ", Routed("red star", "[DET]"))


def test_other_published_answers_are_read_by_the_words_since_the_last_comma(vocabulary):
    ids = ids_of(vocabulary, "Well, a star", "[DET]", " and a fish", "[DET]", ". There is one; a cup", "[DET]", ".")
    reading = read_answer(ids, vocabulary, prompts=PUBLISHED)
    assert [r.label for r in reading.routed] == ["a star", "a fish", "a cup"]


def test_a_published_grounding_answer_keeps_its_words(vocabulary):
    reading = read_answer(
        ids_of(vocabulary, "Yes, it is", "[GRD]", "."),
        vocabulary,
        prompts=PUBLISHED,
        question="Where can we locate the left car in the image?",
    )
    assert (reading.text, reading.routed[0].label) == ("Yes, it is.", "left car")


def test_blanks_around_the_answer_are_left_out_of_text_and_spans(vocabulary):
    reading = read_answer(ids_of(vocabulary, "  ", "<det>", "star", "</det>", "[DET]", " "), vocabulary)
    assert (reading.text, reading.routed[0].span) == ("star", (0, 4))


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("Find the red star.", "the red star"),
        ("Could you please show me where the cup is?", "the cup"),
        ("Where can I find the second fish from the left?", "the second fish from the left"),
        ("  locate the key in the picture", "the key"),
        ("The one you could sail in.", "The one you could sail in"),
        ("Where is the one you could sail in?", "the one you could sail in"),
    ],
)
def test_the_phrase_of_a_question_is_what_is_looked_for(question, phrase):
    assert phrase_of(question) == phrase


def test_the_phrase_of_the_models_own_prompt_is_taken_out_of_it():
    assert phrase_of("Where can we locate the two men is it in the image?") == "two men is it"


def test_results_get_the_labels_and_spans_of_their_routing_tokens(vocabulary):
    ids = ids_of(vocabulary, "<det>", "star", "</det>", "[DET]", ". ", "<det>", "fish", "</det>", "[DET]", ".")
    reading = read_answer(ids, vocabulary)
    first, second = (r.position for r in reading.routed)
    joined = attach(reading, [(found([0, 0], groups=1), [first]), (found([0], groups=1), [second])])
    assert joined is not None
    assert [(i.label, i.span) for i in joined.instances] == [("star", (0, 4)), ("fish", (6, 10)), ("star", (0, 4))]


def test_a_grounding_token_keeps_its_best_instance_only(vocabulary):
    reading = read_answer(ids_of(vocabulary, "Here it is ", "[GRD]", "."), vocabulary, question="the star")
    joined = attach(reading, [(found([0, 0, 0], groups=1, token="[GRD]"), [reading.routed[0].position])])
    assert joined is not None
    assert [(i.label, round(i.score, 2)) for i in joined.instances] == [("the star", 0.9)]


def test_the_name_of_a_region_means_one_thing_too(vocabulary):
    ids = ids_of(vocabulary, "<det>", "region1", "</det>", "[DET]", ", ", "<det>", "star", "</det>", "[DET]")
    reading = read_answer(ids, vocabulary)
    assert [routed.means_one for routed in reading.routed] == [True, False]
    joined = attach(reading, [(found([0, 1, 0, 1], groups=2), [r.position for r in reading.routed])])
    assert joined is not None
    assert [i.label for i in joined.instances] == ["region1", "star", "star"]


def test_without_units_there_are_no_detections(vocabulary):
    assert attach(read_answer([], vocabulary), []) is None


def test_a_unit_of_another_answer_is_refused(vocabulary):
    with pytest.raises(ValueError, match=r"expected routing tokens at \[\], got one at 3"):
        attach(read_answer([], vocabulary), [(found([], groups=1), [3])])


def test_a_composed_answer_holds_what_it_was_given(vocabulary):
    reading = read_answer(ids_of(vocabulary, "Two."), vocabulary)
    answer = compose(reading, "length", 2, None, ("a notice",))
    assert (answer.text, answer.finish_reason, answer.tokens, answer.notices) == ("Two.", "length", 2, ("a notice",))


def test_the_last_question_is_that_of_the_user():
    turns = (Message("user", ("a",)), Message("assistant", ("b",)), Message("user", ("c ", "d")))
    assert last_question(turns) == "c d"
    assert last_question(()) == ""


def pose_units(vocabulary, *pieces: str):
    reading = read_answer(ids_of(vocabulary, *pieces), vocabulary)
    positions = [routed.position for routed in reading.routed]
    keypoints = sum(routed.token == "[POSE]" for routed in reading.routed)
    none = Poses(
        boxes=np.zeros((0, 4), np.float32),
        scores=np.zeros(0, np.float32),
        class_ids=np.zeros(0, np.int64),
        keypoints=np.zeros((0, keypoints, 2), np.float32),
        keypoint_scores=np.zeros((0, keypoints), np.float32),
        size_hw=(4, 4),
    )
    return reading, none, positions


POSED = ("Two: ", "<det>", "man", "</det>", "[DET]", ", ", "<det>", "woman", "</det>", "[DET]", ". ")
KEYPOINTS = ("<det>", "left eye", "</det>", "[POSE]", ", ", "<det>", "nose", "</det>", "[POSE]", ".")


def test_poses_get_the_names_of_objects_and_keypoints_and_the_bones_between_them(vocabulary):
    reading, none, positions = pose_units(vocabulary, *POSED, *KEYPOINTS)
    (named,) = attach_poses(reading, [(none, positions)])
    assert named.class_names == ("man", "woman")
    assert named.keypoint_names == ("left eye", "nose")
    assert named.bones == ((0, 1),)
    assert [reading.text[slice(*span)] for span in named.spans if span] == ["man", "woman"]


def test_published_keypoints_are_found_behind_their_template(vocabulary):
    words = PUBLISHED.pose_answer.split("{routed}")
    reading = read_answer(ids_of(vocabulary, words[0], "nose", "[POSE]", ", left eye", "[POSE]", words[1]), vocabulary)
    assert [routed.label for routed in reading.routed] == ["nose", "left eye"]


def test_poses_of_routing_tokens_that_the_answer_lacks_are_refused(vocabulary):
    reading, none, _ = pose_units(vocabulary, *POSED, *KEYPOINTS)
    with pytest.raises(ValueError, match="expected routing tokens at"):
        attach_poses(reading, [(none, [99])])


def test_new_pictures_are_called_by_what_was_asked_for(vocabulary):
    reading = read_answer(ids_of(vocabulary, "Here it is ", "[GEN]", "."), vocabulary, question="Draw a star.")
    made = GeneratedImages(pictures=(np.zeros((2, 2, 3), np.uint8),), seeds=(1,))
    (named,) = attach_pictures(reading, [(made, [reading.routed[0].position])])
    assert named.labels == ("Draw a star",)
    assert reading.text == "Here it is."
