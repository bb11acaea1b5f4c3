"""The user's object: `VisionLLM` answers questions about pictures.

(Signatures first; the bodies follow.)
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import torch
from PIL import Image

from visionllm.types import Answer, Detections, Message, Options, Region, Request

ImageLike = Image.Image | str | Path


class VisionLLM:
    """A model with its processor, ready to answer.

    Free mode writes an answer and decodes what it routes: `ask`, `chat`, `answer`, `stream`, `describe_region`, `caption`.
    Known-class mode puts every class into one prefill and generates nothing: `detect`, `segment`, `refer`, `segment_regions`.
    """

    def __init__(self, model, processor, *, deterministic: bool = False) -> None: ...

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        deterministic: bool = False,
    ) -> Self:
        """Load the embedded model (None or "tiny") or a folder."""

    # free mode
    def ask(
        self,
        text: str,
        image: ImageLike | None = None,
        *,
        regions: Sequence[Region] = (),
        history: Sequence[Message] = (),
        options: Options | None = None,
    ) -> Answer: ...
    def chat(self, image: ImageLike | None = None, *, options: Options | None = None) -> "Chat": ...
    def answer(self, requests: Sequence[Request], *, batch_size: int = 8) -> list[Answer]: ...
    def stream(self, request: Request) -> Iterator[str | Answer]: ...
    def describe_region(self, image: ImageLike, region: Region, *, options: Options | None = None) -> Answer: ...
    def caption(self, image: ImageLike, *, options: Options | None = None) -> Answer: ...

    # known-class mode: one prefill, no generation. `Options.threshold=0` switches the threshold off.
    def detect(self, image: ImageLike, classes: Sequence[str], *, options: Options | None = None) -> Detections: ...
    def detect_batch(
        self,
        images: Sequence[ImageLike],
        classes: Sequence[str] | Sequence[Sequence[str]],
        *,
        masks: bool = False,
        options: Options | None = None,
        batch_size: int = 8,
    ) -> list[Detections]: ...
    def segment(self, image: ImageLike, classes: Sequence[str], *, options: Options | None = None) -> Detections: ...
    def refer(self, image: ImageLike, phrase: str, *, options: Options | None = None) -> Detections:
        """At most one instance, label = phrase; none when the best score is under the threshold."""

    def segment_regions(self, image: ImageLike, regions: Sequence[Region], *, options: Options | None = None) -> Detections:
        """Exactly one instance a region, in their order (class_ids == arange), unless a threshold is given."""

    def open(self, image: ImageLike) -> "OpenedImage":
        """Encode once; the result has ask, stream, describe_region, caption, detect, segment, refer, segment_regions."""
