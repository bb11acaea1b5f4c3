"""What a server says about a model."""

from tests.small import picture, small_predictor
from visionllm.server import card_of
from visionllm.types import ask


def test_a_card_says_what_the_model_can_and_counts_its_tokens():
    model = small_predictor(full=True, drawings_only=True)
    card = card_of(model, "small")
    assert (card.name, card.context) == ("small", 1024)
    assert {"detect", "pose", "generate", "edit"} <= set(card.tasks)
    assert card.picture_hw == (16, 24)
    assert "drawings only" in card.notices[0]
    request = ask("How many?", picture())
    assert card.count is not None
    assert card.count(request) == model.processor([request]).input_ids.shape[1]


def test_a_model_of_photos_has_no_notice():
    card = card_of(small_predictor(), "small")
    assert card.notices == () and card.picture_hw is None
