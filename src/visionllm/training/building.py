"""What each objective of a stage trains, and on what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoBackbone, AutoConfig

from visionllm.config import VisionLLMConfig
from visionllm.config.detection import DetectionConfig
from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.editing import EditingConfig
from visionllm.config.pose import PoseConfig
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.decoders.detection import DetectionDecoder
from visionllm.decoders.editing import EditingDecoder
from visionllm.decoders.generation import GenerationDecoder
from visionllm.decoders.pose import PoseDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.nn.diffusion import build_vae
from visionllm.processing import VisionLLMProcessor
from visionllm.processing.decoder_images import DecoderImageConfig
from visionllm.training.aims import AimEncoder
from visionllm.training.briefs import BriefEncoder
from visionllm.training.expert import ExpertDetector, ExpertObjective, Judge
from visionllm.training.link import LINKS, Link, LinkedModel, PictureLink
from visionllm.training.objectives import Objective
from visionllm.training.painter import ExpertPainter, PainterObjective
from visionllm.training.pictures import Pictures
from visionllm.training.pose_expert import ExpertPose, PoseObjective
from visionllm.training.stages import Stage
from visionllm.training.tasks import TaskObjective
from visionllm.training.tower import DenseTower, TowerObjective
from visionllm.training.vae import PictureCoder, VaeObjective

TOWER_STRIDES = {"stage2": 8, "stage3": 16}
_PAINTERS = ("generation", "editing")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an objective is made from, beside its stage.

    Attributes:
        config: Of the whole model.
        processor: Makes tensors of requests.
        photos: Draw on photo backgrounds too.
        judge: Scores what a detector found.
    """

    config: VisionLLMConfig
    processor: VisionLLMProcessor
    photos: bool
    judge: Judge | None

    @property
    def images(self) -> DecoderImageConfig:
        """How decoders see a picture.

        Raises:
            ValueError: If they see none.
        """
        if self.processor.config.decoder is None:
            raise ValueError("expected a processor with decoder images, got one without")
        return self.processor.config.decoder

    def drawn(self, stage: Stage) -> Pictures:
        """Return the pictures of a stage."""
        return Pictures(seed=stage.seed, photos=self.photos, themes=stage.themes)


def _tower(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    wanted = AutoConfig.for_model(
        **config.vision_config.to_dict() | {"out_features": list(TOWER_STRIDES), "out_indices": None}
    )
    encoder = AutoBackbone.from_config(wanted).to(memory_format=torch.channels_last)
    return DenseTower(encoder, list(encoder.channels), wide=bool(stage.themes))


def _expert(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    width, slots = config.text_config.hidden_size, config.tables["det"]
    return ExpertDetector(DetectionDecoder(DetectionConfig(**config.decoders["detection"]), width), width, slots)


def _pose(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    width, slots = config.text_config.hidden_size, config.tables["pose"]
    return ExpertPose(PoseDecoder(PoseConfig(**config.decoders["pose"]), width), width, slots)


def _vae(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    vae = build_vae(_diffusion(config, "generation"))
    return _channels_last(PictureCoder(vae))


def _painter(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    name, width = _painted_by(stage), config.text_config.hidden_size
    sizes = _diffusion(config, name)
    decoder: DiffusionDecoder = (
        EditingDecoder(sizes, width) if isinstance(sizes, EditingConfig) else GenerationDecoder(sizes, width)
    )
    return _channels_last(ExpertPainter(decoder))


def _channels_last(module: nn.Module) -> nn.Module:
    """Lay the weights of convolutions out as processors like them."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def _painted_by(stage: Stage) -> str:
    """Return the decoder that makes the pictures of a stage's families."""
    return "editing" if any(name.startswith("edit-") for name in stage.mixture) else "generation"


def _diffusion(config: VisionLLMConfig, decoder: str) -> DiffusionConfig:
    """Return the configuration of a decoder that makes pictures."""
    return (EditingConfig if decoder == "editing" else DiffusionConfig)(**config.decoders[decoder])


def _expert_of(decoder: str, config: VisionLLMConfig) -> nn.Module:
    """Build what stood for the language model while a decoder was an expert."""
    if decoder in _PAINTERS:
        sizes = _diffusion(config, decoder)
        return BriefEncoder(sizes.tokens, sizes.width)
    table = {"detection": "det", "pose": "pose"}[decoder]
    return AimEncoder(config.text_config.hidden_size, config.tables[table])


def _linked(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    experts = {name: _expert_of(name, config) for name in stage.decoders} if stage.link_weight else {}
    config.decoders = {name: config.decoders[name] for name in stage.decoders}
    return LinkedModel(VisionLLMForConditionalGeneration(config), experts)


def _tower_objective(stage: Stage, setting: Setting) -> Objective:
    vision = setting.processor.config.vision
    return TowerObjective(
        side=vision.image_size,
        strides=tuple(TOWER_STRIDES.values()),
        mean=vision.mean,
        std=vision.std,
        pictures=stage.pictures,
        drawn=setting.drawn(stage),
    )


def _expert_objective(stage: Stage, setting: Setting) -> Objective:
    return ExpertObjective(
        images=setting.images, pictures=stage.pictures, drawn=setting.drawn(stage), judge=setting.judge
    )


def _pose_objective(stage: Stage, setting: Setting) -> Objective:
    return PoseObjective(images=setting.images, drawn=setting.drawn(stage), pictures=stage.pictures)


def _painter_objective(stage: Stage, setting: Setting) -> Objective:
    config = _diffusion(setting.config, _painted_by(stage))
    return PainterObjective(
        stage.mixture,
        size_hw=config.picture_hw,
        states=config.tokens,
        pictures=stage.pictures,
        pool=stage.pool,
        seed=stage.seed,
        step=config.factor,
        close_ups=stage.close_ups,
    )


def _vae_objective(stage: Stage, setting: Setting) -> Objective:
    size_hw = _diffusion(setting.config, "generation").picture_hw
    return VaeObjective(size_hw=size_hw, pictures=stage.pictures, seed=stage.seed, photos=setting.photos)


def _task_objective(stage: Stage, setting: Setting) -> Objective:
    links: list[Link] = [link for link in LINKS if link.decoder in stage.decoders]
    links += [PictureLink(n, _diffusion(setting.config, n).tokens) for n in stage.decoders if n in _PAINTERS]
    return TaskObjective(
        setting.processor,
        stage.mixture,
        pictures=stage.pictures,
        questions=stage.questions,
        units=stage.units,
        link_weight=stage.link_weight,
        words_weight=stage.words_weight,
        seed=stage.seed,
        photos=setting.photos,
        links=links,
    )


_KINDS: Mapping[str, tuple[Callable[[Stage, VisionLLMConfig], nn.Module], Callable[[Stage, Setting], Objective]]] = {
    "tower": (_tower, _tower_objective),
    "expert": (_expert, _expert_objective),
    "pose": (_pose, _pose_objective),
    "vae": (_vae, _vae_objective),
    "painter": (_painter, _painter_objective),
    "tasks": (_linked, _task_objective),
}


def _kind(stage: Stage) -> tuple[Callable[[Stage, VisionLLMConfig], nn.Module], Callable[[Stage, Setting], Objective]]:
    if stage.objective not in _KINDS:
        raise ValueError(
            f"stage {stage.name}: expected an objective among {', '.join(_KINDS)}, got {stage.objective!r}"
        )
    return _KINDS[stage.objective]


def expert_of(stage: Stage) -> str | None:
    """Return the name of the decoder that a stage trains as an expert, or None.

    Raises:
        ValueError: If the objective is unknown.
    """
    _kind(stage)
    if stage.objective == "painter":
        return _painted_by(stage)
    return {"expert": "detection", "pose": "pose"}.get(stage.objective)


def build_module(stage: Stage, config: VisionLLMConfig) -> nn.Module:
    """Build what a stage trains, with random weights.

    Args:
        stage: Of a recipe.
        config: Of the whole model; parts that the stage does not need are taken out of it.

    Raises:
        ValueError: If the objective is unknown.
    """
    return _kind(stage)[0](stage, config)


def build_objective(
    stage: Stage,
    config: VisionLLMConfig,
    processor: VisionLLMProcessor,
    *,
    photos: bool = True,
    judge: Judge | None = None,
) -> Objective:
    """Return what a stage learns.

    Args:
        stage: Of a recipe; its pictures and units are those of one process.
        config: Of the whole model.
        processor: Makes tensors of requests.
        photos: Draw on photo backgrounds too.
        judge: Scores what a detector found.

    Raises:
        ValueError: If the objective is unknown.
    """
    return _kind(stage)[1](stage, Setting(config=config, processor=processor, photos=photos, judge=judge))
