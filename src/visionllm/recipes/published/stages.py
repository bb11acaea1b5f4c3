"""The stages in which the published model was trained, as far as they are stated, in the words of `training.Stage`.

No script or configuration of them was released; the numbers are the paper's (arXiv:2406.08394v2, table A13), and what
the released evaluation scripts still carry of training.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SLOW = dict.fromkeys(
    (
        "decoders.*.backbone.*",
        "decoders.*.offsets.*",
        "decoders.detection.decoder.position_head.*",
        "decoders.*.mapper.queries",
        "decoders.*.mapper.transformer.*",
    ),
    1e-5,
)
"""Parts of decoders that learn at a tenth of the rate.

The first two are meant: backbones, and where deformable attention looks. The others share letters with those, or with
the language model, in the published names, and the published code sorts by letters.
"""


@dataclass(frozen=True, kw_only=True)
class PublishedStage:
    """One stage.

    Attributes:
        name: Of the stage.
        purpose: What it is for.
        rates: Learning rate at the peak by pattern of our parameter names; the first match counts, and what none
            matches is frozen. What a decoder's own configuration freezes stays frozen.
        batch: Samples of an optimiser step, over all GPUs.
        epochs: Passes over the data.
        tiles: Most tiles of a picture, beside the thumbnail; 0 shows the whole picture only.
        data: Groups of data sets; see the paper's tables A11 and A12.
        gpus: Number and kind.
        adapters: Whether the paper's table lists LoRA adapters for the language model; see `visionllm.weights.lora`.
    """

    name: str
    purpose: str
    rates: Mapping[str, float]
    batch: int
    epochs: int
    tiles: int
    data: tuple[str, ...]
    gpus: str
    adapters: bool = False


TALK = ("conversation", "captioning", "image VQA", "OCR", "region caption", "region VQA", "region recognition")
ROUTED = (
    "detection and instance segmentation", "grounded caption", "semantic segmentation", "interactive segmentation",
    "grounding", "pose", "counting", "generation and editing", "in context",
)  # fmt: skip
STAGES = (
    PublishedStage(
        name="1-pretrain",
        purpose="pictures and regions in the language model's words",
        rates={"projector.*": 1e-3, "region_encoder.*": 1e-3},
        batch=2048,
        epochs=1,
        tiles=0,
        data=TALK,
        gpus="64 A100",
    ),
    PublishedStage(
        name="1-tune",
        purpose="a model that chats",
        rates={"language_model.*": 2.5e-5, "projector.*": 2.5e-5, "region_encoder.*": 2.5e-5},
        batch=1024,
        epochs=1,
        tiles=4,
        data=TALK,
        gpus="64 A100",
    ),
    PublishedStage(
        name="2",
        purpose="decoders beside the chat",
        rates={
            "language_model.model.embed_tokens.*": 1e-5,
            "language_model.lm_head.*": 1e-5,
            "region_encoder.*": 1e-5,
            "super_link.*": 1e-4,
        }
        | SLOW
        | {"decoders.*": 1e-4},
        batch=256,
        epochs=1,
        tiles=4,
        data=TALK + ROUTED,
        gpus="128 A100",
        adapters=True,
    ),
    PublishedStage(
        name="3",
        purpose="decoders to the end",
        rates={"super_link.*": 1e-4} | SLOW | {"decoders.*": 1e-4},
        batch=256,
        epochs=12,
        tiles=4,
        data=ROUTED,
        gpus="128 A100",
    ),
)
COMMON: Mapping[str, object] = {
    "optimiser": "AdamW",
    "decay": 0.0,
    "warmup": 0.03,
    "schedule": "cosine",
    "precision": "bf16",
    "context": 4096,
    "picture_side": 336,
    "one dataset per batch of a GPU": True,
    "loss": "text + detection + pose + generation + editing, each with weight 1",
}
"""What all stages share."""
