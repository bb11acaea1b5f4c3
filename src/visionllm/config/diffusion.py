"""Sizes, loss weights and choices of the generation decoder, which the editing decoder shares."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionllm.config.ranges import Checked, Ranges

RANGES: Ranges = (
    (("tokens", "encoder_layers", "decoder_layers", "heads", "ffn", "steps"), 1, math.inf),
    (("caption_start_id", "caption_end_id", "caption_pad_id"), 0, math.inf),
    (("caption_weight", "guidance"), 0, math.inf),
)
SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "SASolverScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
)
"""The schedulers of diffusers that step through the noise of a Stable Diffusion U-Net."""
PREDICTIONS = ("epsilon", "sample", "v_prediction")


DEFAULT_STEPS = 1000
"""Steps in which noise grows where a schedule does not say so."""


def check_scheduler(name: str) -> None:
    """Refuse a scheduler that is not in the list.

    Raises:
        ValueError: With the list.
    """
    if name not in SCHEDULERS:
        raise ValueError(f"expected a scheduler among {', '.join(SCHEDULERS)}, got {name!r}")


def published_unet(in_channels: int) -> dict[str, Any]:
    """Return the configuration of the U-Net of Stable Diffusion 1.5, or of a relative with more input channels."""
    return {
        "sample_size": 64,
        "in_channels": in_channels,
        "cross_attention_dim": 768,
        "block_out_channels": [320, 640, 1280, 1280],
    }


def _published_vae() -> dict[str, Any]:
    return {
        "sample_size": 512,
        "latent_channels": 4,
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 2,
    }


def _published_text() -> dict[str, Any]:
    return {
        "model_type": "clip_text_model",
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
    }


def _published_schedule() -> dict[str, Any]:
    return {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
    }


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(Checked):
    """What the generation decoder is made of; the defaults are the published 7B release's.

    Attributes:
        unet: Settings of diffusers' `UNet2DConditionModel`; those left out have its defaults.
        vae: Settings of diffusers' `AutoencoderKL`; those left out have its defaults.
        text: Configuration of the Hugging Face text encoder that the U-Net was trained with, or None. It says what
            empty words are, and in training what a caption is; pictures are made without it. Without a text encoder
            the empty words are learned.
        schedule: How noise grows, as settings of diffusers' schedulers.
        scheduler: Name of the diffusers scheduler that makes pictures when a request names none.
        frozen: Patterns of parameter names (shell style) that do not learn unless a stage of training says so.
        tokens: Number of mapped states that the U-Net reads in the place of words.
        encoder_layers: Layers of the mapper's encoder.
        decoder_layers: Layers of the mapper's decoder.
        heads: Heads of the mapper.
        ffn: Hidden width of the mapper's feed-forward blocks.
        caption_start_id: Id before a caption in the text encoder's vocabulary, beside `caption_end_id` behind it and
            `caption_pad_id`, which fills it up.
        drop_rate: Half the share of training pictures whose words are dropped, so that guidance has something to
            compare with.
        caption_weight: Loss weight of the distance between mapped states and the text encoder's states.
        picture_hw: (height, width) of the pictures in pixels when a request names none.
        steps: Steps when a request names none.
        guidance: How strongly words guide when a request says nothing; 1 switches guidance off.
    """

    unet: Mapping[str, Any] = field(default_factory=lambda: published_unet(4))
    vae: Mapping[str, Any] = field(default_factory=_published_vae)
    text: Mapping[str, Any] | None = field(default_factory=_published_text)
    schedule: Mapping[str, Any] = field(default_factory=_published_schedule)
    scheduler: str = "PNDMScheduler"
    frozen: tuple[str, ...] = ("unet.*", "vae.*", "text_encoder.*")
    tokens: int = 77
    encoder_layers: int = 1
    decoder_layers: int = 1
    heads: int = 8
    ffn: int = 3072
    caption_start_id: int = 49406
    caption_end_id: int = 49407
    caption_pad_id: int = 49407
    drop_rate: float = 0.1
    caption_weight: float = 0.1
    picture_hw: tuple[int, int] = (512, 512)
    steps: int = 50
    guidance: float = 7.5

    def __post_init__(self) -> None:
        self._check_parts()
        self._check_ranges((*RANGES, (("drop_rate",), 0, 1 / self._kinds_dropped)))
        if self.width % self.heads:
            raise ValueError(f"expected heads that divide the U-Net's width {self.width}, got {self.heads}")
        check_scheduler(self.scheduler)
        prediction = self.schedule.get("prediction_type", "epsilon")
        if prediction not in PREDICTIONS:
            raise ValueError(f"expected a prediction_type among {', '.join(PREDICTIONS)}, got {prediction!r}")
        self.check_picture(self.picture_hw)

    @property
    def width(self) -> int:
        """Width of the states that the U-Net reads in the place of words."""
        return int(self.unet["cross_attention_dim"])

    @property
    def factor(self) -> int:
        """Pixels a side of one latent of the VAE."""
        return 2 ** (len(self.vae["block_out_channels"]) - 1)

    @property
    def latent_channels(self) -> int:
        """Channels of the VAE's latents."""
        return int(self.vae.get("latent_channels", 4))

    @property
    def _unet_channels(self) -> int:
        """Channels that the U-Net must take."""
        return self.latent_channels

    @property
    def _kinds_dropped(self) -> int:
        """How many times `drop_rate` the numbers reach at which something is dropped."""
        return 2

    def check_picture(self, size_hw: tuple[int, int]) -> None:
        """Refuse a size of pictures that the VAE cannot take.

        Raises:
            ValueError: With the number of pixels that both sides must be multiples of.
        """
        if len(size_hw) != 2 or min(size_hw) < 1 or any(side % self.factor for side in size_hw):
            raise ValueError(
                f"expected a picture size of multiples of {self.factor} pixels, which the VAE takes, "
                f"got {'×'.join(str(side) for side in size_hw)}"
            )

    def check_wish(self, size_hw: tuple[int, int] | None, steps: int | None) -> None:
        """Refuse what pictures cannot be made with; None is the model's own.

        Raises:
            ValueError: If the VAE cannot take the size, or noise grew in fewer steps.
        """
        if size_hw is not None:
            self.check_picture(size_hw)
        most = int(self.schedule.get("num_train_timesteps", DEFAULT_STEPS))
        if steps is not None and steps > most:
            raise ValueError(f"expected at most {most} steps, as many as noise grew in, got {steps}")

    def _check_parts(self) -> None:
        """Refuse parts that do not fit together, and settings that would be passed over."""
        wanted = (("unet", "cross_attention_dim"), ("vae", "block_out_channels"))
        for part, key in wanted:
            if key not in getattr(self, part):
                raise ValueError(f"expected {key} among the settings of the {part}, got {sorted(getattr(self, part))}")
        channels = self.unet.get("in_channels", 4)
        if channels != self._unet_channels:
            raise ValueError(f"expected a U-Net with {self._unet_channels} in_channels, got {channels}")
        pooled = self.unet.get("addition_embed_type")
        if pooled not in (None, "text"):
            raise ValueError(f"expected no addition_embed_type in the unet, or 'text', got {pooled!r}")
        for part, key in (("unet", "time_cond_proj_dim"), ("vae", "shift_factor")):
            if getattr(self, part).get(key) is not None:
                raise ValueError(f"expected no {key} in the {part}, got {getattr(self, part)[key]!r}")
        if self.text is not None and "model_type" not in self.text:
            raise ValueError(f"expected a text encoder with a model_type, got {sorted(self.text)}")
        if self.text is not None and self.text.get("hidden_size", self.width) != self.width:
            raise ValueError(
                f"expected a text encoder as wide as the U-Net's {self.width}, got {self.text['hidden_size']}"
            )
