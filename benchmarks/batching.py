"""Eight requests in a batch against the same eight one by one."""

from collections.abc import Sequence
from itertools import islice

from material import CLASSES, pictures, require_same_answers, require_same_detections, talkative
from measuring import Measurement, speedup
from visionllm import Detections, Request, VisionLLM, ask

NAME = "batching"
SIZE = 8


def measure() -> list[Measurement]:
    """Compare answers of 20 tokens, known-class detection, and a batch of both kinds of answers."""
    model = VisionLLM.load()
    drawn = list(islice(pictures(), SIZE))
    texts = talkative(model, SIZE)
    routed = [ask(f"Detect every {name}.", picture) for name, picture in zip(CLASSES, drawn, strict=False)]
    mixed = [r for pair in zip(texts[: SIZE // 2], routed[: SIZE // 2], strict=True) for r in pair]
    detection = speedup(
        lambda: [model.detect(picture, CLASSES) for picture in drawn],
        lambda: model.detect_batch(drawn, CLASSES, batch_size=SIZE),
        require_same=_require_same,
    )
    return [
        Measurement(name="batch of 8, 20 tokens", value=_answers(model, texts), unit="x", at_least=2.5),
        Measurement(name="batch of 8, detection", value=detection, unit="x", at_least=1.4),
        Measurement(name="batch of 8, mixed", value=_answers(model, mixed), unit="x", at_least=1.6),
    ]


def _answers(model: VisionLLM, requests: list[Request]) -> float:
    return speedup(
        lambda: [answer for request in requests for answer in model.answer([request])],
        lambda: model.answer(requests, batch_size=SIZE),
        require_same=require_same_answers,
    )


def _require_same(one: Sequence[Detections], other: Sequence[Detections]) -> None:
    for a, b in zip(one, other, strict=True):
        require_same_detections(a, b)
