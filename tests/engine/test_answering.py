"""An answer is decoded while it grows, and its end has the last word."""

from typing import Any

from tests.engine.conftest import Script
from tests.engine.test_engine import ANY, require_same
from tests.predictor.test_core import PERSON, STAR
from tests.small import picture
from visionllm.engine import Engine, Found, TextPiece
from visionllm.predictor import VisionLLM
from visionllm.types import Answer, Options, Poses, ask

LATE = ("Here it is ", "[GRD]", ". And ", "<det>", "star", "</det>", "[DET]", ".")
FAR = ("<det>", "dog", "</det>", "[DET]", ". One. Two. ", "<det>", "nose", "</det>", "[POSE]", ".")


def test_a_later_sentence_may_change_how_an_earlier_one_is_decoded(
    engine: Engine, predictor: VisionLLM, script: Script
):
    script({"Where is it?": LATE})
    request = ask("Where is it?", picture(), options=Options())
    (want,) = predictor.answer([request])
    events = list(engine.submit(request))
    found = [event for event in events if isinstance(event, Found)]
    last: Any = events[-1]
    require_same(last.result, want)
    assert len(found) == 3, "the first one, the first one again, and the second"


def test_keypoints_far_behind_their_objects_still_belong_to_them(full_engine: Engine, full: VisionLLM, script: Script):
    script({"Pose.": FAR})
    request = ask("Pose.", picture(), options=ANY)
    (want,) = full.answer([request])
    events = list(full_engine.submit(request))
    last: Any = events[-1]
    require_same(last.result, want)
    assert want.detections is None and len(want.poses) == 1
    assert isinstance([event for event in events if isinstance(event, Found)][-1].result, Poses)


def test_an_answer_without_a_picture_to_decode_on_is_text(full_engine: Engine, full: VisionLLM, script: Script):
    script({"Find both.": STAR})
    events = list(full_engine.submit(ask("Find both.", options=ANY)))
    assert {type(event).__name__ for event in events} == {"TextPiece", "Finished"}


def test_a_group_that_the_limit_cuts_off_is_dropped(engine: Engine, predictor: VisionLLM, script: Script):
    script({"Find both.": STAR})
    vocabulary = predictor.processor.vocabulary
    first = STAR[: STAR.index("[DET]") + 1]
    count = (
        len([piece for piece in first[1:] if piece != "star"])
        + len(vocabulary.encode(STAR[0]))
        + len(vocabulary.encode("star"))
    )
    request = ask("Find both.", picture(), options=Options(threshold=0, max_new_tokens=count, max_instances=3))
    answer = engine.submit(request).result(30)
    assert isinstance(answer, Answer)
    assert (answer.finish_reason, answer.detections, answer.tokens) == ("length", None, count - 1)


def test_text_comes_in_pieces_before_its_sentence_is_done(engine: Engine, script: Script):
    script({"Find both.": STAR})
    pieces = [e.text for e in engine.submit(ask("Find both.", picture(), options=ANY)) if isinstance(e, TextPiece)]
    assert pieces[0] == "Here" and "".join(pieces) == "Here you go: star, red fish."


def test_objects_without_keypoints_are_found_after_one_more_sentence(full_engine: Engine, script: Script):
    script({"Find both.": (*STAR, " One. Two. Three.")})
    events = list(full_engine.submit(ask("Find both.", picture(), options=ANY)))
    place = next(i for i, event in enumerate(events) if isinstance(event, Found))
    before = "".join(e.text for e in events[:place] if isinstance(e, TextPiece))
    assert "One" not in before and len(PERSON) > 0
