import torch
from torch import Tensor, nn

from visionllm.decoders.base.sampling import Guide, Sampling, look
from visionllm.nn.diffusion import Stepper

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


class Echo(nn.Module):
    """Predicts the first of the states, everywhere, and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: list[int] = []

    def forward(self, latents: Tensor, timestep: Tensor, *, encoder_hidden_states: Tensor, return_dict: bool):
        self.channels.append(latents.shape[1])
        return (torch.zeros_like(latents[:, :1]) + encoder_hidden_states[:, :1, :1, None],)


def run(unet: nn.Module, weights: list[float], values: list[float], channels: int = 0) -> Tensor:
    guides = [
        Guide(weight=w, states=torch.full((1, 2, 3), v), context=torch.zeros(1, channels, 2, 2))
        for w, v in zip(weights, values, strict=True)
    ]
    sampling = begun(guides)
    while sampling.taken < sampling.steps:
        sampling.step(look(unet, [sampling])[0])
    return sampling.latents


def begun(guides: list[Guide], steps: int = 2) -> Sampling:
    stepper = Stepper("DDIMScheduler", SCHEDULE, steps, torch.device("cpu"))
    return Sampling(stepper, torch.ones(1, 1, 2, 2), guides, [torch.Generator()])


def test_guides_are_summed_by_their_weights():
    torch.testing.assert_close(run(Echo(), [2.0, -1.0], [3.0, 4.0]), run(Echo(), [1.0], [2.0]))


def test_a_guide_without_weight_is_left_out():
    torch.testing.assert_close(run(Echo(), [1.0, 0.0], [2.0, float("nan")]), run(Echo(), [1.0], [2.0]))


def test_the_network_sees_the_context_behind_the_noise():
    unet = Echo()
    run(unet, [1.0], [0.0], channels=3)
    assert unet.channels == [4, 4]


class Clock(nn.Module):
    """Predicts the time step."""

    def forward(self, latents: Tensor, timestep: Tensor, *, encoder_hidden_states: Tensor, return_dict: bool):
        return (torch.zeros_like(latents[:, :1]) + timestep[:, None, None, None],)


def test_pictures_that_began_apart_are_looked_at_together_each_at_its_own_step():
    guides = [Guide(weight=w, states=torch.zeros(1, 2, 3), context=torch.zeros(1, 0, 2, 2)) for w in (2.0, -1.0)]
    one, other = begun(guides), begun(guides[1:], steps=4)
    (first,) = look(Clock(), [one])
    one.step(first)
    together = look(Clock(), [one, other])
    assert [found.shape for found in together] == [(2, 1, 2, 2), (1, 1, 2, 2)]
    for sampling, found in zip((one, other), together, strict=True):
        assert found.unique().tolist() == [float(sampling.timestep)]
        torch.testing.assert_close(found, look(Clock(), [sampling])[0])
