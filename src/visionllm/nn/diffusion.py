"""Networks and schedulers of diffusers: the one place that knows this optional library."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from visionllm.config.diffusion import DEFAULT_STEPS, SCHEDULERS, DiffusionConfig, check_scheduler
from visionllm.config.strict import check_keys
from visionllm.nn.optional import nothing_fetched, optional


def _of_diffusers(name: str) -> Any:
    """Return a class of the library, which takes seconds to import.

    Raises:
        ImportError: If it is not installed.
    """
    library = optional("diffusers", "making and editing pictures", "generation")
    with nothing_fetched():  # what a name stands for is imported when it is asked for
        return getattr(library, name)


def _settings_of(constructor: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(constructor).parameters if name not in ("self", "kwargs")]


def _network(name: str, settings: Mapping[str, Any], part: str) -> nn.Module:
    cls = _of_diffusers(name)
    check_keys(settings, _settings_of(cls), part)
    try:
        return cls(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected settings of the {part} that diffusers understands: {error}") from error


def build_unet(config: DiffusionConfig) -> nn.Module:
    """Build the U-Net.

    Raises:
        ImportError: If diffusers is not installed.
        ValueError: If diffusers does not know a setting or a value.
    """
    return _network("UNet2DConditionModel", config.unet, "unet")


def build_vae(config: DiffusionConfig) -> nn.Module:
    """Build the VAE.

    Raises:
        ImportError: If diffusers is not installed.
        ValueError: If diffusers does not know a setting or a value.
    """
    return _network("AutoencoderKL", config.vae, "vae")


def remove_noise(unet: nn.Module, latents: Tensor, timesteps: Tensor, states: Tensor) -> Tensor:
    """Return the U-Net's prediction.

    Args:
        unet: As `build_unet` makes it.
        latents: float[M, C, h, w]. Noisy latents, with those of a picture behind them if it takes any.
        timesteps: float or int [M] or [].
        states: float[M, tokens, width]. What it reads in the place of words.

    Returns:
        float[M, latent channels, h, w].
    """
    return unet(latents, timesteps, encoder_hidden_states=states, return_dict=False)[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Latents:
    """What a VAE makes of M pictures: a normal distribution a latent.

    Attributes:
        mean: float[M, latent channels, h, w].
        deviation: float[M, latent channels, h, w].
    """

    mean: Tensor
    deviation: Tensor


def encode(vae: nn.Module, pixels: Tensor) -> Latents:
    """Encode float[M, 3, H, W] in [−1, 1]; the latents are not scaled."""
    network: Any = vae
    found = network.encode(pixels).latent_dist
    return Latents(mean=found.mean, deviation=found.std)


def decode(vae: nn.Module, latents: Tensor) -> Tensor:
    """Decode latents that are not scaled to float[M, 3, H, W] in [−1, 1] or a little beyond."""
    network: Any = vae
    return network.decode(latents, return_dict=False)[0]


def latent_scale(vae: nn.Module) -> float:
    """Return what the VAE's latents are multiplied with before noise is added."""
    network: Any = vae
    return float(network.config.scaling_factor)


class NoiseSchedule:
    """How noise grows in training.

    Args:
        settings: Of diffusers' schedulers.

    Raises:
        ImportError: If diffusers is not installed.
        ValueError: If no scheduler knows a setting.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        check_keys(settings, {key for name in SCHEDULERS for key in _settings_of(_of_diffusers(name))}, "schedule")
        self._scheduler = _scheduler("DDPMScheduler", settings)
        self.steps = int(settings.get("num_train_timesteps", DEFAULT_STEPS))

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return float[M, C, h, w], noisy latents at the steps int[M]."""
        return self._scheduler.add_noise(latents, noise, timesteps)

    def aim(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return float[M, C, h, w], what the U-Net should predict there."""
        kind = self._scheduler.config.prediction_type
        if kind == "v_prediction":
            return self._scheduler.get_velocity(latents, noise, timesteps)
        return latents if kind == "sample" else noise


class Stepper:
    """A scheduler on its way from noise to latents; it remembers what it did, so each run needs its own.

    Args:
        name: Of a scheduler of diffusers.
        settings: How noise grew in training.
        steps: Number of steps.
        device: Where the latents are.

    Attributes:
        timesteps: float or int [n], n ≥ `steps`: some schedulers look twice a step.

    Raises:
        ImportError: If diffusers is not installed.
        ValueError: If the scheduler is not in the list, or it cannot take so many or so few steps.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], steps: int, device: torch.device) -> None:
        self._scheduler = _scheduler(name, settings)
        most = int(settings.get("num_train_timesteps", DEFAULT_STEPS))
        if steps > most:
            raise ValueError(f"expected at most {most} steps, as many as noise grew in, got {steps}")
        self._takes_generator = "generator" in inspect.signature(self._scheduler.step).parameters
        try:
            self._scheduler.set_timesteps(steps, device=device)
        except (ValueError, IndexError) as error:
            raise ValueError(f"expected a number of steps that {name} can take, got {steps}: {error}") from error
        self.timesteps: Tensor = self._scheduler.timesteps

    def start(self, noise: Tensor) -> Tensor:
        """Return the first latents, as noisy as the scheduler begins."""
        return noise * self._scheduler.init_noise_sigma

    def scaled(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """Return the latents as the U-Net reads them."""
        return self._scheduler.scale_model_input(latents, timestep)

    def step(
        self, prediction: Tensor, timestep: Tensor, latents: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Return the next latents; a scheduler that adds noise draws each picture's from its own generator."""
        source = {"generator": list(generators)} if self._takes_generator else {}
        return self._scheduler.step(prediction, timestep, latents, return_dict=False, **source)[0]


def _scheduler(name: str, settings: Mapping[str, Any]) -> Any:
    check_scheduler(name)
    cls = _of_diffusers(name)
    own = _settings_of(cls)  # schedulers read each other's settings, and pass over what is not for them
    return cls(**{key: value for key, value in settings.items() if key in own})
