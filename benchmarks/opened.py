"""Four questions about one opened picture against four fresh requests."""

from collections.abc import Callable

from PIL import Image

from material import pictures, require_same_answers
from measuring import Measurement, speedup
from random_model import IMAGE_TOKENS, random_model
from visionllm import Answer, Options, VisionLLM

NAME = "opened"
QUESTIONS = ("How many things are there?", "Is there a star?", "What colour is the largest thing?", "Is there a fish?")


def measure() -> list[Measurement]:
    """Compare on the embedded model, and on random weights that see a picture as 576 tokens."""
    picture = next(pictures())
    embedded, wide = _speedup(VisionLLM.load(), picture), _speedup(random_model(), picture)
    return [
        Measurement(name="opened picture, embedded", value=embedded, unit="x", at_least=1.1),
        Measurement(name=f"opened picture, {IMAGE_TOKENS} tokens", value=wide, unit="x", at_least=1.5),
    ]


def _speedup(model: VisionLLM, picture: Image.Image) -> float:
    options = Options(max_new_tokens=8)

    def all_answers(ask: Callable[[str], Answer]) -> list[Answer]:
        return [ask(question) for question in QUESTIONS]

    def opened() -> list[Answer]:
        picture_open = model.open(picture)
        return all_answers(lambda question: picture_open.ask(question, options=options))

    return speedup(
        lambda: all_answers(lambda question: model.ask(question, picture, options=options)),
        opened,
        require_same=require_same_answers,
    )
