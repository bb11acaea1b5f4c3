import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch

from visionllm.config.diffusion import SCHEDULERS
from visionllm.decoders.base.example import tiny_diffusion
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

CONFIG = tiny_diffusion()
CPU = torch.device("cpu")
SEEDED = [0, 1]


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in SEEDED]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_in_the_list_goes_from_noise_to_finite_latents(name: str):
    stepper = Stepper(name, CONFIG.schedule, 4, CPU)
    assert len(stepper.timesteps) >= 4
    latents, sources = stepper.start(torch.randn(2, 4, 8, 8)), generators()
    for timestep in stepper.timesteps:
        latents = stepper.step(0.1 * stepper.scaled(latents, timestep), timestep, latents, sources)
    assert latents.shape == (2, 4, 8, 8)
    assert latents.isfinite().all()


def test_a_scheduler_that_adds_noise_draws_each_pictures_from_its_own_generator():
    steppers = [Stepper("LCMScheduler", CONFIG.schedule, 2, CPU) for _ in range(2)]
    start = torch.ones(2, 4, 8, 8)
    both = steppers[0].step(start, steppers[0].timesteps[0], start, generators())
    alone = steppers[1].step(start[1:], steppers[1].timesteps[0], start[1:], generators()[1:])
    torch.testing.assert_close(both[1:], alone)
    assert not torch.equal(both[0], both[1])


def test_an_unknown_scheduler_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"expected a scheduler among DDIMScheduler, .*, got 'os.system'"):
        Stepper("os.system", CONFIG.schedule, 4, CPU)


def test_more_steps_than_a_scheduler_can_take_are_refused():
    with pytest.raises(ValueError, match="expected a number of steps that LCMScheduler can take, got 51"):
        Stepper("LCMScheduler", CONFIG.schedule, 51, CPU)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_more_steps_than_noise_grew_in_are_refused(name: str):
    with pytest.raises(ValueError, match="expected at most 1000 steps, as many as noise grew in, got 1001"):
        Stepper(name, CONFIG.schedule, 1001, CPU)


def test_a_setting_that_no_scheduler_knows_is_refused():
    with pytest.raises(ValueError, match=r"unknown key schedule\.beta_begin"):
        NoiseSchedule({"beta_begin": 0.1})


@pytest.mark.parametrize(
    ("build", "part", "wrong", "message"),
    [
        (build_unet, "unet", {"layers": 3}, r"unknown key unet\.layers"),
        (build_vae, "vae", {"layers": 3}, r"unknown key vae\.layers"),
        (build_unet, "unet", {"norm_num_groups": 7}, "expected settings of the unet that diffusers understands"),
        (build_unet, "unet", {"mid_block_type": "Nothing"}, "expected settings of the unet that diffusers understands"),
    ],
)
def test_a_setting_that_diffusers_does_not_know_is_refused(build: Any, part: str, wrong: dict[str, Any], message: str):
    config = replace(CONFIG, **{part: {**getattr(CONFIG, part), **wrong}})
    with pytest.raises(ValueError, match=message):
        build(config)


def test_noise_grows_from_almost_nothing_to_almost_everything():
    schedule = NoiseSchedule(CONFIG.schedule)
    clean, noise = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    assert schedule.steps == 1000
    noisy = schedule.add_noise(clean, noise, torch.tensor([0, 999]))
    assert noisy[0].min() > 0.99
    assert noisy[1].max() < 0.1


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_the_aim_follows_the_kind_of_prediction(kind: str):
    schedule = NoiseSchedule({**CONFIG.schedule, "prediction_type": kind})
    clean, noise, last = torch.randn(1, 1, 2, 2), torch.randn(1, 1, 2, 2), torch.tensor([999])
    kept = schedule.add_noise(torch.ones(1), torch.zeros(1), last)
    spoilt = schedule.add_noise(torch.zeros(1), torch.ones(1), last)
    wanted = {"epsilon": noise, "sample": clean, "v_prediction": kept * noise - spoilt * clean}
    torch.testing.assert_close(schedule.aim(clean, noise, last), wanted[kind])


@torch.no_grad()
def test_the_networks_keep_the_sizes_of_pictures_that_are_not_square():
    unet, vae = build_unet(CONFIG).eval(), build_vae(CONFIG).eval()
    latents = encode(vae, torch.rand(2, 3, 16, 24))
    assert latents.mean.shape == latents.deviation.shape == (2, 4, 8, 12)
    assert latents.deviation.min() > 0
    assert decode(vae, latents.mean).shape == (2, 3, 16, 24)
    assert remove_noise(unet, latents.mean, torch.tensor(3), torch.zeros(2, 6, 16)).shape == (2, 4, 8, 12)
    assert latent_scale(vae) == 0.18215


def test_without_diffusers_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"needs diffusers: pip install 'visionllm-v2\[generation\]'"):
        build_unet(CONFIG)


def test_the_decoders_do_not_import_diffusers_before_they_are_built():
    code = "import sys, visionllm.decoders, visionllm.model; print('diffusers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
