"""What the decoders share that make pictures: slots become the words of a diffusion model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import ClassVar, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoModel

from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.strict import check_pretrained
from visionllm.decoders.base.checks import check_finite, check_target_count
from visionllm.decoders.base.contract import Decoder
from visionllm.decoders.base.sampling import Guide, Sampling, look
from visionllm.nn.diffusion import (
    NoiseSchedule,
    Stepper,
    build_unet,
    build_vae,
    decode,
    encode,
    latent_scale,
    remove_noise,
)
from visionllm.nn.mapper import QueryMapper
from visionllm.nn.waiting import WaitingNetwork, shapes_within
from visionllm.ops.draws import Draws
from visionllm.types.generated import GeneratedImages
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries

ConfigT = TypeVar("ConfigT", bound=DiffusionConfig)


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionOutputs:
    """What a training step of a diffusion decoder saw and said about M query groups.

    Attributes:
        states: float[M, tokens, width]. The mapped slots.
        conditions: float[M, tokens, width]. The same, empty words where they were dropped: what the U-Net read.
        noisy: float[M, C, h, w]. What the U-Net saw: noisy latents, and those of the picture to edit behind them.
        timesteps: int[M].
        prediction: float[M, latent channels, h, w].
        aim: float[M, latent channels, h, w]. What it should have predicted.
    """

    states: Tensor
    conditions: Tensor
    noisy: Tensor
    timesteps: Tensor
    prediction: Tensor
    aim: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Painting:
    """M pictures of one size on their way, for some of the units that `DiffusionDecoder.begin` was given.

    Attributes:
        sampling: Their latents.
        owners: The unit of each picture.
        seeds: The seed of each picture.
        originals: (height, width) of the picture that a unit's are made from, or None, by unit.
    """

    sampling: Sampling
    owners: tuple[int, ...]
    seeds: tuple[int, ...]
    originals: Mapping[int, tuple[int, int] | None]


class DiffusionDecoder(Decoder[PictureTargets], ABC, Generic[ConfigT]):
    """A decoder whose U-Net reads mapped slots where it used to read a text encoder's states.

    Args:
        config: Sizes and choices.
        query_width: Width of the super-link queries.
        stored: Shapes of the weights that a file holds, by their names here. U-Net and VAE of such weights wait for
            their first use, and diffusers with them; else both are built at once.

    Raises:
        ImportError: If diffusers is needed and not installed.
        ValueError: If diffusers does not know a setting.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2; latent diffusion, arXiv:2112.10752.
    """

    waits: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...] | None] = ("seed", "steps", "guidance", "image_guidance", "scheduler", "size_hw")
    schedule: NoiseSchedule

    def __init__(self, config: ConfigT, query_width: int, stored: Mapping[str, torch.Size] | None = None) -> None:
        super().__init__()
        self.config = config
        self.mapper = build_mapper(config, query_width)
        self.text_encoder = _text_encoder(config)
        self.empty_words = None
        if self.text_encoder is None:
            self.empty_words = nn.Parameter(nn.init.normal_(torch.empty(1, config.tokens, config.width), std=0.02))
        unet, vae = (shapes_within(stored or {}, part) for part in ("unet", "vae"))
        self.unet: nn.Module = WaitingNetwork(unet) if unet else build_unet(config)
        self.vae: nn.Module = WaitingNetwork(vae) if vae else build_vae(config)
        self.awake = False
        if not (unet or vae):
            self.wake()
        self.freeze()

    def wake(self) -> None:
        """Build what waits for its first use: whoever computes calls this before.

        Raises:
            ImportError: If diffusers is not installed.
            ValueError: If diffusers does not know a setting, or weights do not fit their network.
        """
        if self.awake:
            return
        unet, vae = self.unet, self.vae  # two threads may wake it at once: both build around the same parameters
        if isinstance(unet, WaitingNetwork):
            self.unet = unet.build(partial(build_unet, self.config), "unet")
        if isinstance(vae, WaitingNetwork):
            self.vae = vae.build(partial(build_vae, self.config), "vae")
        self.schedule = NoiseSchedule(self.config.schedule)
        self.awake = True

    def freeze(self) -> None:
        """Switch learning off for the parameters that `frozen` names."""
        for name, parameter in self.named_parameters():
            if any(fnmatchcase(name, pattern) for pattern in self.config.frozen):
                parameter.requires_grad_(False)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters; queries and pixels are brought to it."""
        return self.mapper.queries.dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.mapper.queries.device

    def mapped(self, queries: Queries) -> Tensor:
        """Return float[M, tokens, width], the mapped slots of the M real query groups, unit by unit."""
        return self.mapper(queries.states[queries.mask].to(self.dtype))

    def read(self, caption_ids: Tensor) -> Tensor:
        """Return float[M, L, width], the text encoder's states of captions int[M, L].

        Raises:
            ValueError: If the decoder has no text encoder.
        """
        if self.text_encoder is None:
            raise ValueError("expected a decoder with a text encoder for captions, got one that was built without")
        return self.text_encoder(input_ids=caption_ids).last_hidden_state

    def no_words(self) -> Tensor:
        """Return float[1, tokens, width], what the U-Net reads where there are no words."""
        if self.empty_words is not None:
            return self.empty_words
        config = self.config
        ids = [config.caption_start_id, config.caption_end_id]
        ids += [config.caption_pad_id] * (config.tokens - len(ids))
        return self.read(torch.tensor([ids], device=self.device))

    def forward(
        self, queries: Queries, images: ImageBatch, targets: Sequence[PictureTargets], draws: Draws | None = None
    ) -> DiffusionOutputs:
        """Look at noisy targets once, as training does.

        Args:
            queries: U units with M query groups in all.
            images: The pictures that the units name.
            targets: One a unit, with one picture a query group, all of one size.
            draws: Latents, noise, time steps and what is dropped, in this order.

        Raises:
            ValueError: If pictures are missing, or of sizes that differ or that the VAE cannot take.
        """
        self.wake()
        draws = draws or Draws()
        pixels = self._target_pixels(queries, targets)
        states = self.mapped(queries)
        clean = encode(self.vae, pixels)
        spread = draws.normal(tuple(clean.mean.shape), self.device).to(self.dtype)
        latents = (clean.mean + clean.deviation * spread) * latent_scale(self.vae)
        size_hw = (pixels.shape[2], pixels.shape[3])
        return self.look(latents, states, draws, lambda numbers: self._context(queries, images, size_hw, numbers))

    def look(
        self, latents: Tensor, states: Tensor, draws: Draws, context: Callable[[Tensor], Tensor]
    ) -> DiffusionOutputs:
        """Look at latents once, with noise on them.

        Args:
            latents: float[M, latent channels, h, w]. Of the pictures that should be made, scaled.
            states: float[M, tokens, width]. What to read in the place of words.
            draws: Noise, time steps and what is dropped, in this order.
            context: Returns float[M, C, h, w], what the U-Net sees beside the latents, for numbers float[M] in [0, 1)
                that decide what is dropped.
        """
        self.wake()
        noise = draws.normal(tuple(latents.shape), self.device).to(self.dtype)
        timesteps = draws.integers(self.schedule.steps, tuple(latents.shape[:1]), self.device)
        rate = self.config.drop_rate
        numbers = draws.uniform(tuple(timesteps.shape), self.device) if rate else torch.ones_like(timesteps)
        wordless = numbers < 2 * rate
        conditions = torch.where(wordless[:, None, None], self.no_words(), states)
        noisy = torch.cat([self.schedule.add_noise(latents, noise, timesteps), context(numbers)], 1)
        return DiffusionOutputs(
            states=states,
            conditions=conditions,
            noisy=noisy,
            timesteps=timesteps,
            prediction=remove_noise(self.unet, noisy, timesteps, conditions),
            aim=self.schedule.aim(latents, noise, timesteps),
        )

    def loss(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[PictureTargets],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Return `"noise"`, and `"caption"` if a target has captions; both are weighted.

        Args:
            queries: U units; without any there are no terms.
            images: The pictures the units name.
            targets: One a unit.
            generator: Source of latents, noise, time steps and what is dropped; None means torch's global one.

        Raises:
            ValueError: If there is not one target a unit and one picture a query group, their sizes differ or are none
                that the VAE can take, or captions do not fit the text encoder.
        """
        check_target_count(targets, len(queries))
        if not len(queries):
            return {}
        return self.terms(self(queries, images, targets, Draws(generator)), queries, targets)

    def terms(self, found: DiffusionOutputs, queries: Queries, targets: Sequence[PictureTargets]) -> dict[str, Tensor]:
        """Return the loss terms of a training step, weighted."""
        terms = {"noise": F.mse_loss(found.prediction.float(), found.aim.float())}
        captioned = [target.caption_ids is not None for target in targets]
        counts = queries.mask.sum(1)
        ids = [target.caption_ids for target in targets if target.caption_ids is not None]
        if ids and self.config.caption_weight:
            for captions, count in zip(ids, counts[torch.tensor(captioned)].tolist(), strict=True):
                if captions.shape != (count, self.config.tokens):
                    raise ValueError(
                        f"expected caption_ids {[count, self.config.tokens]}, one row per query group, "
                        f"got {list(captions.shape)}"
                    )
            chosen = torch.tensor(captioned, device=self.device).repeat_interleave(counts)
            with torch.no_grad():
                wanted = self.read(torch.cat(ids))
            distance = F.mse_loss(found.states[chosen].float(), wanted.float())
            terms["caption"] = self.config.caption_weight * distance
        return terms

    def check(self, options: Options) -> None:
        """Refuse options that pictures cannot be made with.

        Raises:
            ImportError: If steps or a scheduler are named, and diffusers is not installed.
            ValueError: If the VAE cannot take the size, or the scheduler the steps.
        """
        self.config.check_wish(options.size_hw, options.steps)
        if options.steps is not None or options.scheduler is not None:
            self._stepper(options)

    @torch.no_grad()
    def decode(
        self, queries: Queries, images: ImageBatch, options: Options, states: Tensor | None = None
    ) -> list[GeneratedImages]:
        """Return the pictures of each unit, one a query group; see `Options` for steps, guidance, size and seed.

        Args:
            queries: The query groups.
            images: The pictures that they are about.
            options: How the pictures are made.
            states: float[M, tokens, width]. What the U-Net reads for each query group, instead of its mapped slots.

        Raises:
            ValueError: If the scheduler is unknown, the VAE cannot take the size, or a picture to edit is not there.
        """
        if not len(queries):
            return []
        made: dict[int, GeneratedImages] = {}
        for painting in self.begin(queries, images, options, states):
            made |= self.finish(painting)
        return [made[unit] for unit in range(len(queries))]

    @torch.no_grad()
    def begin(
        self, queries: Queries, images: ImageBatch, options: Options, states: Tensor | None = None
    ) -> list[Painting]:
        """Begin the pictures of each unit, those of one size together; the arguments are those of `decode`.

        Raises:
            ValueError: As `decode`.
        """
        self.wake()
        self.check(options)
        states = self.mapped(queries) if states is None else states
        owners = queries.mask.nonzero()[:, 0].tolist()
        places = [place for count in queries.mask.sum(1).tolist() for place in range(count)]
        seeds = [options.seed + place for place in places]
        sizes = self._sizes(queries, images, options)
        paintings = []
        for size in dict.fromkeys(sizes):
            chosen = [i for i, unit in enumerate(owners) if sizes[unit] == size]
            index = torch.tensor(chosen, device=self.device)
            context = self._context(queries, images, size)[index]
            own = [seeds[i] for i in chosen]
            paintings.append(
                Painting(
                    sampling=self.start(states[index], context, options, size, own),
                    owners=tuple(owners[i] for i in chosen),
                    seeds=tuple(own),
                    originals={
                        unit: self._original_hw(queries, images, unit) for unit, hw in enumerate(sizes) if hw == size
                    },
                )
            )
        return paintings

    @torch.no_grad()
    def finish(self, painting: Painting) -> dict[int, GeneratedImages]:
        """Take the steps that are left, and return the pictures of each unit.

        Raises:
            FloatingPointError: If a picture holds what is no number.
        """
        pixels = self.paint(painting.sampling)
        check_finite("pictures", pixels)
        found = (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        results = {}
        for unit, original_hw in painting.originals.items():
            own = [i for i, owner in enumerate(painting.owners) if owner == unit]
            results[unit] = GeneratedImages(
                pictures=tuple(found[i] for i in own),
                seeds=tuple(painting.seeds[i] for i in own),
                original_hw=original_hw,
            )
        return results

    @torch.no_grad()
    def start(
        self,
        states: Tensor,
        context: Tensor,
        options: Options,
        size_hw: tuple[int, int],
        seeds: Sequence[int],
        noise: Tensor | None = None,
    ) -> Sampling:
        """Return M pictures of one size before their first step.

        Args:
            states: float[M, tokens, width]. Mapped slots.
            context: float[M, C, h, w]. Latents of the pictures to edit; C is 0 where there are none.
            options: Scheduler, steps and guidance.
            size_hw: (height, width) in pixels.
            seeds: One a picture; its starting noise and the noise of its steps depend on nothing else.
            noise: float[M, latent channels, h, w]. The starting noise, if it is not to be drawn.
        """
        config = self.config
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        if noise is None:
            shape = (1, config.latent_channels, *(side // config.factor for side in size_hw))
            noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        guides = self._guides(states, context, options)
        return Sampling(self._stepper(options), noise.to(self.device, self.dtype), guides, generators)

    def _stepper(self, options: Options) -> Stepper:
        """Return a scheduler at its beginning."""
        config = self.config
        steps = config.steps if options.steps is None else options.steps
        return Stepper(options.scheduler or config.scheduler, config.schedule, steps, self.device)

    @torch.no_grad()
    def paint(self, sampling: Sampling) -> Tensor:
        """Take the steps that are left; return float[M, 3, H, W] in [0, 1]."""
        self.wake()
        while sampling.taken < sampling.steps:
            sampling.step(look(self.unet, [sampling])[0])
        pixels = decode(self.vae, sampling.latents.to(self.dtype) / latent_scale(self.vae))
        return (pixels.float() / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def reconstruct(self, pictures: Tensor) -> Tensor:
        """Encode pictures and decode the means of their latents: the best that this VAE lets any picture be.

        Args:
            pictures: float[M, 3, H, W] in [0, 1].

        Returns:
            float[M, 3, H, W] in [0, 1].

        Raises:
            ValueError: If the VAE cannot take the size.
        """
        self.wake()
        self.config.check_picture((pictures.shape[2], pictures.shape[3]))
        latents = encode(self.vae, (2 * pictures - 1).to(self.device, self.dtype)).mean
        return (decode(self.vae, latents).float() / 2 + 0.5).clamp(0, 1)

    def _guidance(self, options: Options) -> float:
        """Return how strongly words guide."""
        return self.config.guidance if options.guidance is None else options.guidance

    @abstractmethod
    def _guides(self, states: Tensor, context: Tensor, options: Options) -> list[Guide]:
        """Return how the U-Net looks at the pictures, with and without words."""

    @abstractmethod
    def _context(
        self, queries: Queries, images: ImageBatch, size_hw: tuple[int, int], numbers: Tensor | None = None
    ) -> Tensor:
        """Return float[M, C, h, w], the latents that the U-Net sees beside the noisy ones.

        Args:
            queries: With M query groups.
            images: The pictures that the units name.
            size_hw: (height, width) of the new pictures, in pixels.
            numbers: float[M] in [0, 1), which decide what is dropped in training.
        """

    @abstractmethod
    def _sizes(self, queries: Queries, images: ImageBatch, options: Options) -> list[tuple[int, int]]:
        """Return (height, width) of each unit's new pictures, in pixels."""

    def _original_hw(self, queries: Queries, images: ImageBatch, unit: int) -> tuple[int, int] | None:
        """Return (height, width) of the picture that a unit's are made from, if any."""
        return None

    def _target_pixels(self, queries: Queries, targets: Sequence[PictureTargets]) -> Tensor:
        """Return float[M, 3, H, W], the pictures of all targets."""
        sizes = {tuple(target.pictures.shape[-2:]) for target in targets}
        if len(sizes) != 1:
            raise ValueError(f"expected pictures of one size in a batch, got {sorted(sizes)}")
        height, width = sizes.pop()
        self.config.check_picture((height, width))
        for target, count in zip(targets, queries.mask.sum(1).tolist(), strict=True):
            if len(target.pictures) != count:
                raise ValueError(f"expected {count} pictures, one per query group, got {len(target.pictures)}")
        return torch.cat([target.pictures for target in targets]).to(self.device, self.dtype)


def _text_encoder(config: DiffusionConfig) -> nn.Module | None:
    """Build the text encoder, if there is one."""
    if config.text is None:
        return None
    raw = dict(config.text)
    check_pretrained(raw, "text")
    kind = raw.pop("model_type")
    return AutoModel.from_config(CONFIG_MAPPING[kind](**raw))


def build_mapper(config: DiffusionConfig, query_width: int) -> QueryMapper:
    """Build what stands between slots and U-Net, which is new where a diffusion model becomes a decoder."""
    return QueryMapper(
        query_width=query_width,
        width=config.width,
        tokens=config.tokens,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        heads=config.heads,
        ffn=config.ffn,
    )
