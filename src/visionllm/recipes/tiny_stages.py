"""The stages of the embedded model, in the published order: encoders first, then language, then all joined."""

from dataclasses import replace

from visionllm.training.stages import Stage
from visionllm.weights import AdapterConfig

EVERY = ("detection", "pose", "generation", "editing")
_PAINTER = {"decoder.vae.*": 0.0, "decoder.mapper.*": 0.0}
# What the language model is drawn towards stays as it is: it may learn while an expert does.
_TOLD = _PAINTER | {"briefs.*": 0.0}
_ASKED = {"aims.*": 0.0, "detector.query_projection.*": 0.0}
_NO_PICTURE_TOWER = {"model.vision_encoder.*": 0.0}

EASY = {
    "existence": 1, "count": 1, "colour": 1, "kind": 1.5, "fill": 1, "region-recognition": 2, "region-caption": 1,
    "region-question": 1, "caption": 0.5,
}  # fmt: skip
TALK = {
    "caption": 1.5, "existence": 1, "count": 1.5, "colour": 0.8, "kind": 0.8, "fill": 0.8, "size": 1, "relation": 1.5,
    "verify": 1, "multi-turn": 1, "chat": 0.4,
}  # fmt: skip
REGION = {"region-caption": 1, "region-recognition": 1, "region-question": 0.8, "region-choice": 1, "region-compare": 1}
ROUTED = {
    "detect-one": 0.4, "detect-several": 0.4, "detect-everything": 0.2, "detect-nothing": 0.6, "detect-attribute": 0.8,
    "count-with-boxes": 0.4, "count-like-marked": 0.5, "grounded-caption": 0.6, "detect-and-describe": 0.5,
    "segment-instances": 0.4, "refer-attribute": 0.8, "refer-relation": 0.8, "refer-ordinal": 0.8,
    "refer-reasoning": 0.5, "refer-nothing": 0.8, "segment-point": 0.3, "segment-scribble": 0.3,
    "segment-box": 0.3, "segment-mask": 0.3, "segment-several": 0.4,
}  # fmt: skip
LANGUAGE = {
    "caption": 2.5, "existence": 1, "count": 2, "colour": 0.7, "kind": 0.7, "fill": 0.6, "size": 1, "relation": 2.5,
    "verify": 1.2, "multi-turn": 1, "chat": 0.3, "region-caption": 0.5, "region-recognition": 0.5,
    "region-question": 0.8, "region-choice": 1.5, "region-compare": 1.5,
    "detect-one": 0.3, "detect-several": 0.4, "detect-everything": 0.15, "detect-nothing": 0.5, "detect-attribute": 0.8,
    "count-with-boxes": 0.4, "count-like-marked": 0.5, "grounded-caption": 0.8, "detect-and-describe": 0.5,
    "segment-instances": 0.3, "refer-attribute": 1.2, "refer-relation": 1.4, "refer-ordinal": 1.2,
    "refer-reasoning": 0.8, "refer-nothing": 0.7, "segment-point": 0.4, "segment-scribble": 0.5,
    "segment-box": 0.5, "segment-mask": 0.6, "segment-several": 0.5, "known-classes": 0.6,
}  # fmt: skip
POINTED = ROUTED | {
    "detect-nothing": 0.1, "detect-attribute": 1, "refer-nothing": 0.1, "segment-point": 0.5, "segment-scribble": 0.5,
    "segment-box": 0.6, "segment-mask": 0.8,
}  # fmt: skip
KNOWN = {"known-classes": 3.0}
DOMAINS = {
    f"{domain}-{family}": weight
    for domain in ("aerial", "scan", "workpiece")
    for family, weight in {"caption": 0.4, "existence": 0.2, "count": 0.4, "recognition": 0.3, "detect": 0.5}.items()
}
MAPS = {"segment-semantic": 0.7, "segment-salient": 0.5, "segment-camouflaged": 0.6}
READ = {"read-sign": 1.2, "read-marked": 0.8, "read-all": 0.8, "find-sign": 0.7}
POSE = {
    "pose-person": 0.4,
    "pose-dog": 0.15,
    "pose-horse": 0.15,
    "pose-bird": 0.15,
    "pose-several": 0.25,
    "pose-some": 1,
    "pose-nothing": 0.3,
    "known-poses": 0.15,
}
EXAMPLES = {"example-name": 0.8, "example-describe": 0.5, "example-count": 0.4, "example-mark": 0.7}
DRAW = {"draw-one": 1, "draw-several": 1.5, "draw-count": 1, "draw-relation": 1.2, "draw-figures": 1}
EDIT = {
    "edit-recolour": 1.2,
    "edit-remove": 1,
    "edit-add": 1.5,
    "edit-replace": 1.2,
    "edit-move": 1.2,
    "edit-fill": 1,
    "edit-background": 0.7,
    "edit-only-one": 1,
}


def _scaled(mixture: dict[str, float], by: float) -> dict[str, float]:
    return {name: by * weight for name, weight in mixture.items()}


SECOND = DOMAINS | MAPS | READ | POSE | EXAMPLES | DRAW | _scaled(EDIT, 0.5)
# Only what opens a decoder teaches one.
OPENED = _scaled(POINTED, 1.5) | MAPS | DRAW | _scaled(POSE, 2.5) | _scaled(EDIT, 0.5) | {
    "known-classes": 2.5, "known-poses": 0.8, "find-sign": 0.7, "example-mark": 1, "aerial-detect": 0.8,
    "scan-detect": 0.8, "workpiece-detect": 0.8,
}  # fmt: skip
_BLOCKS = ("down_blocks", "mid_block", "up_blocks", "time_embedding", "conv_norm_out", "conv_out")
_PAINTED = {f"decoder.unet.{part}": f"draw-expert:decoder.unet.{part}" for part in _BLOCKS}  # the first layer sees more
_SHAPES = {
    f"model.decoders.{decoder}.{part}": f"{stage}:decoder.{part}"
    for decoder, stage in (("generation", "draw-more"), ("editing", "edit-shapes"))
    for part in ("unet", "empty_words")
}
BOTH = {
    "version 1": 1.0,
    "mixed": 0.4,
    "figures": 0.25,
    "signs": 0.35,
    "camouflage": 0.04,
    "aerial": 0.12,
    "scan": 0.12,
    "workpiece": 0.12,
}
SIGNS = BOTH | {"signs": 2.0}
FIGURES = {"figures": 0.7, "mixed": 0.2, "studio": 0.1}

_EXPERTS = {
    "experts.detection": "expert:aims",
    "experts.pose": "pose-expert:aims",
    "experts.generation": "draw-shapes:briefs",
    "experts.editing": "edit-expert:briefs",
}
_DECODERS = {
    "model.decoders.detection": "decoders:model.decoders.detection",
    "model.decoders.pose": "pose-expert:pose",
    "model.decoders.generation": "draw-shapes:decoder",
    "model.decoders.editing": "edit-expert:decoder",
    "model.decoders.editing.vae": "draw-shapes:decoder.vae",
}
_WIDE_LANGUAGE = Stage(
    name="wide-language", objective="tasks", decoders=EVERY, seed=5, steps=1150, pictures=16, questions=8,
    link_weight=1.0, words_weight=0.5, precision="bf16", mixture=LANGUAGE | SECOND,
    rates={
        "experts.*": 0.0, "model.vision_encoder.*": 3e-4, "model.decoders.generation.mapper.*": 1.2e-3,
        "model.decoders.editing.mapper.*": 1.2e-3, "model.decoders.*": 0.0, "*": 1.2e-3,
    },
    ema=0.998, warmup=0.02, floor=0.05,
    start={"model": "decoders:model", "model.vision_encoder": "letter-tower:encoder", **_DECODERS, **_EXPERTS},
)  # fmt: skip

_DRAW_SHAPES = Stage(
    name="draw-shapes", objective="painter", seed=5, steps=12000, pictures=32, pool=20_000, close_ups=True,
    mixture=DRAW, rates=_TOLD | {"*": 1.2e-3}, decay=0.0, ema=0.999, warmup=0.02, floor=0.02,
    start={"decoder": "draw-expert:decoder", "briefs": "draw-expert:briefs"},
)  # fmt: skip

STAGES: tuple[Stage, ...] = (
    Stage(
        name="tower", objective="tower", seed=0, steps=3000, pictures=32, rates={"*": 2e-3},
        decay=0.05, ema=0.998, clip=5.0, warmup=0.04,
    ),
    Stage(
        name="expert", objective="expert", seed=1, steps=1600, pictures=16,
        rates={"detector.pyramid.backbone.*": 0.0, "*": 1e-3}, ema=0.998, clip=5.0, warmup=0.02,
        start={"detector.pyramid.backbone.network": "tower:encoder"},
    ),
    Stage(
        name="projector", objective="tasks", seed=2, steps=600, pictures=16, questions=8, mixture=EASY,
        rates=_NO_PICTURE_TOWER | {"*": 1.5e-3}, ema=0.995, warmup=0.05, floor=0.5,
        start={"model.vision_encoder": "tower:encoder"},
    ),
    Stage(
        name="chat", objective="tasks", seed=3, steps=1000, pictures=16, questions=8, mixture=TALK | REGION | ROUTED,
        rates=_NO_PICTURE_TOWER | {"*": 1.2e-3}, ema=0.998, warmup=0.02, floor=0.2,
        start={"model": "projector:model"},
    ),
    Stage(
        name="joined", objective="tasks", decoders=("detection",),
        seed=4, steps=540, pictures=16, questions=6, units=32, link_weight=1.0,
        mixture=TALK | REGION | ROUTED | KNOWN,
        rates=_NO_PICTURE_TOWER | {
            "experts.*": 0.0, "model.decoders.detection.pyramid.backbone.*": 0.0, "model.decoders.*": 4e-4, "*": 8e-4,
        },
        ema=0.998, warmup=0.02, floor=0.05, clip=5.0,
        start={
            "model": "chat:model", "model.decoders.detection": "expert:detector", "experts.detection": "expert:aims",
        },
    ),
    Stage(
        name="together", objective="tasks", decoders=("detection",),
        seed=6, steps=380, pictures=16, questions=6, units=24, link_weight=1.0,
        mixture=TALK | REGION | ROUTED | KNOWN,
        rates=_NO_PICTURE_TOWER | {
            "experts.*": 0.0, "model.decoders.detection.pyramid.backbone.*": 0.0, "model.decoders.*": 3e-4, "*": 8e-4,
        },
        ema=0.995, warmup=0.02, floor=0.05, clip=5.0,
        start={"model": "joined:model", "experts.detection": "expert:aims"},
    ),
    Stage(
        name="language", objective="tasks", decoders=("detection",),
        seed=8, steps=5000, pictures=16, questions=8, link_weight=1.0,
        words_weight=0.5, precision="bf16", mixture=LANGUAGE,
        rates=_NO_PICTURE_TOWER | {"experts.*": 0.0, "model.decoders.*": 0.0, "*": 1.2e-3},
        ema=0.998, warmup=0.02, floor=0.02,
        start={"model": "together:model", "experts.detection": "expert:aims"},
    ),
    Stage(
        name="decoders", objective="tasks", decoders=("detection",),
        seed=9, steps=800, pictures=12, questions=4, units=32, precision="bf16",
        mixture=POINTED | {"known-classes": 1.5},
        rates={
            "model.decoders.detection.pyramid.backbone.*": 0.0, "model.decoders.*": 3e-4, "model.super_link.*": 3e-4,
        },
        ema=0.99, warmup=0.02, floor=0.05, clip=5.0, start={"model": "language:model"},
    ),
    Stage(
        name="wide-tower", objective="tower", seed=7, steps=1500, pictures=32, themes=BOTH, rates={"*": 1e-3},
        decay=0.05, ema=0.998, clip=5.0, warmup=0.04, start={"encoder": "decoders:model.vision_encoder"},
    ),
    Stage(
        name="letter-tower", objective="tower", seed=9, steps=700, pictures=32, themes=SIGNS, rates={"*": 8e-4},
        decay=0.05, ema=0.998, clip=5.0, warmup=0.04, start={"encoder": "wide-tower:encoder"},
    ),
    Stage(
        name="wide-expert", objective="expert", seed=8, steps=1200, pictures=16, themes=BOTH,
        rates=_ASKED | {"detector.pyramid.backbone.*": 0.0, "*": 7e-4}, ema=0.998, clip=5.0, warmup=0.02,
        start={
            "detector": "decoders:model.decoders.detection", "aims": "expert:aims",
            "detector.pyramid.backbone.network": "letter-tower:encoder",
        },
    ),
    Stage(
        name="vae", objective="vae", seed=5, steps=4500, pictures=6, rates={"*": 2e-3}, decay=0.0, ema=0.995,
        clip=1.0, warmup=0.03,
    ),
    Stage(
        name="pose-expert", objective="pose", seed=7, steps=2000, pictures=12, themes=FIGURES,
        rates={"pose.pyramid.backbone.*": 2e-4, "*": 8e-4}, ema=0.998, clip=5.0, warmup=0.02,
        start={
            "pose": "decoders:model.decoders.detection", "aims": "expert:aims",
            "pose.decoder.stack": "decoders:model.decoders.detection.decoder",
            "pose.pyramid.backbone.network": "wide-tower:encoder",
        },
    ),
    Stage(
        name="draw-expert", objective="painter", seed=5, steps=3300, pictures=32, pool=20_000, mixture=DRAW,
        rates=_PAINTER | {"*": 1.5e-3}, decay=0.0, ema=0.999, warmup=0.03,
        floor=0.02, start={"decoder.vae": "vae:vae"},
    ),
    Stage(
        name="edit-expert", objective="painter", seed=7, steps=3000, pictures=32, pool=12_000, mixture=EDIT,
        rates=_PAINTER | {"*": 1.5e-3}, decay=0.0, ema=0.999, warmup=0.03,
        floor=0.02,
        start={"decoder.vae": "vae:vae", "briefs": "draw-expert:briefs", **_PAINTED},
    ),
    _DRAW_SHAPES,
    replace(
        _DRAW_SHAPES, name="draw-more", seed=4, steps=5000, rates=_TOLD | {"*": 1e-3},
        mixture=DRAW | {"draw-one": 0.8, "draw-several": 1.8, "draw-count": 1.2, "draw-relation": 1.5},
        start={"decoder": "draw-shapes:decoder", "briefs": "draw-shapes:briefs"},
    ),
    Stage(
        name="edit-shapes", objective="painter", seed=7, steps=5000, pictures=32, pool=12_000, close_ups=True,
        mixture=EDIT, rates=_TOLD | {"*": 1.2e-3}, decay=0.0, ema=0.999, warmup=0.02, floor=0.02,
        start={
            "decoder": "edit-expert:decoder", "briefs": "edit-expert:briefs", "decoder.vae": "draw-shapes:decoder.vae",
            **{f"decoder.unet.{part}": f"draw-shapes:decoder.unet.{part}" for part in _BLOCKS},
        },
    ),
    _WIDE_LANGUAGE,
    replace(
        _WIDE_LANGUAGE, name="more-language", seed=6, steps=2000, floor=0.02,
        start={**_DECODERS, "model": "wide-language:model", **_EXPERTS},
    ),
    replace(
        _WIDE_LANGUAGE, name="last-language", seed=2, steps=1700, floor=0.02,
        mixture=LANGUAGE | SECOND | _scaled(EXAMPLES, 1.6) | _scaled(DOMAINS, 0.6) | _scaled(READ, 0.6),
        start={**_DECODERS, "model": "more-language:model", **_EXPERTS},
    ),
    Stage(
        name="wide-decoders", objective="tasks", decoders=EVERY, seed=7, steps=2500, pictures=12, questions=4, units=24,
        precision="bf16", mixture=OPENED,
        rates={
            "model.decoders.pose.pyramid.backbone.*": 1e-4, "model.decoders.*.pyramid.backbone.*": 0.0,
            "model.decoders.*.unet.*": 0.0, "model.decoders.*.vae.*": 0.0,
            "model.decoders.*": 3e-4, "model.super_link.*": 3e-4,
        },
        ema=0.995, warmup=0.02, floor=0.03, clip=5.0,
        start={
            **_DECODERS, "model": "wide-language+more-language+last-language:model",
            "model.decoders.detection": "wide-expert:detector", **_SHAPES,
        },
    ),
    Stage(
        name="mappers", objective="tasks", decoders=EVERY, seed=4, steps=3000, pictures=32, questions=4, units=0,
        link_weight=1.0, mixture=DRAW | EDIT, rates={"model.decoders.*.mapper.*": 3e-3, "*": 0.0},
        ema=0.998, warmup=0.02, floor=0.02, clip=5.0, start={"model": "wide-decoders:model", **_EXPERTS},
    ),
    Stage(
        name="more-poses", objective="tasks", decoders=EVERY, seed=3, steps=1500, pictures=12, questions=3, units=24,
        mixture=POSE | {"pose-nothing": 0.1, "known-poses": 1.2},
        rates={"model.decoders.pose.pyramid.backbone.*": 2e-4, "model.decoders.pose.*": 3e-4, "*": 0.0},
        ema=0.998, warmup=0.02, floor=0.02, clip=5.0, start={"model": "mappers:model"},
    ),
)  # fmt: skip

ASKED: tuple[Stage, ...] = (
    Stage(
        name="adapted", objective="tasks", decoders=EVERY, adapters=AdapterConfig(),
        seed=3, steps=300, pictures=16, questions=8, precision="bf16", mixture=LANGUAGE, rates={"*.lora_*": 1e-3},
        warmup=0.03, floor=0.05, start={"model": "more-poses:model"},
    ),
)  # fmt: skip
"""Stages that run when they are named: adapters for the language model of a model that is finished."""
