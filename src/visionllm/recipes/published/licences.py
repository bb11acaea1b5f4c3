"""Whose weights the published models began with, and on what terms; the file NOTICE says the same.

These are pointers for whoever reads the terms themselves, as far as they are known, and no legal advice. The code of
this project is its own, and under its own licence; so are the weights of the embedded model.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Where the weights of a part come from.

    Attributes:
        origin: What they began with.
        licence: Its name.
        commercial: Whether the licence lets them be used commercially; conditions may apply where it does.
    """

    origin: str
    licence: str
    commercial: bool = True


_OWN = Terms(origin="VisionLLM v2", licence="Apache License 2.0")
PUBLISHED: Mapping[str, Terms] = {
    "vision_encoder": Terms(origin="CLIP ViT-L/14-336 of OpenAI", licence="MIT License"),
    "language_model": Terms(origin="Vicuna-7B v1.5, made of Llama 2", licence="Llama 2 Community License"),
    "projector": _OWN,
    "region_encoder": _OWN,
    "super_link": _OWN,
    "decoders.detection": Terms(origin="Grounding DINO (Swin-T)", licence="Apache License 2.0"),
    "decoders.pose": Terms(
        origin="UniPose, now X-Pose, of IDEA (Swin-T)", licence="IDEA License 1.0, non-commercial", commercial=False
    ),
    "decoders.generation": Terms(origin="Stable Diffusion v1.5", licence="CreativeML Open RAIL-M"),
    "decoders.editing": Terms(
        origin="InstructPix2Pix, made of Stable Diffusion v1.5", licence="MIT License and CreativeML Open RAIL-M"
    ),
}
"""By part, the terms of the published 7B weights."""
EMBEDDED = Terms(origin="this project, trained from nothing", licence="Apache License 2.0")
"""The terms of every part of the embedded model."""
