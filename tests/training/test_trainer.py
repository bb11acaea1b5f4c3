"""A stage runs to its end, whatever happens on the way."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from tests.training.toy import STEPS, Points, line, stage
from visionllm.training.checkpoints import distinct, read_checkpoint, write_checkpoint
from visionllm.training.trainer import RunOptions, Trainer, learning_rate


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of floats depend on how many threads add them up; so every run here, in whatever process, has one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(folder, objective=None, *, module=None, **options):
    module = module or line()
    trainer = Trainer(
        options.pop("stage", stage()),
        module,
        objective or Points(),
        RunOptions(folder=folder, workers=0, quiet=True, **options),
    )
    scores = trainer.run()
    return trainer, distinct(module), scores


def test_the_learning_rate_rises_then_falls_to_its_floor():
    whole = stage(steps=100, warmup=0.1, floor=0.05)
    rates = [learning_rate(whole, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.525)
    assert rates[100] == pytest.approx(0.05)


def test_training_lowers_the_loss_and_reports_scores(tmp_path):
    trainer, state, scores = run(tmp_path, stage=stage(steps=120))
    assert trainer.progress.step == 120
    assert scores["bias"] == pytest.approx(float(state["2.bias"]))
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(99))
    with torch.no_grad():
        error = (trainer.module.eval()(x) - x.sum(1, keepdim=True)).square().mean()
    assert float(error) < 0.5


@pytest.mark.parametrize("stop", range(1, STEPS))
def test_a_run_that_stopped_anywhere_goes_on_bit_for_bit(tmp_path, stop):
    _, whole, _ = run(tmp_path / "whole")
    stopped, _, none = run(tmp_path / "cut", stop_at=stop)
    assert stopped.progress.step == stop
    assert none == {}
    resumed, state, _ = run(tmp_path / "cut")
    assert resumed.progress.step == STEPS
    assert all(torch.equal(whole[name], state[name]) for name in whole)


def test_a_run_that_was_killed_goes_on_bit_for_bit(tmp_path):
    _, whole, _ = run(tmp_path / "whole")
    script = (
        "import os, signal, torch\n"
        "torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from tests.training.toy import Points, line, stage\n"
        "from visionllm.training.trainer import RunOptions, Trainer\n"
        "class Killed(Points):\n"
        "    def batch(self, index):\n"
        "        if index == 7: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().batch(index)\n"
        f"options = RunOptions(folder=Path({str(tmp_path / 'cut')!r}), workers=0, quiet=True, save_seconds=0)\n"
        "Trainer(stage(), line(), Killed(), options).run()\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": path}, check=False)
    assert ended.returncode == -signal.SIGKILL
    _, state, _ = run(tmp_path / "cut")
    assert all(torch.equal(whole[name], state[name]) for name in whole)


def test_a_step_without_finite_gradient_changes_nothing_and_is_counted(tmp_path):
    before = distinct(line())
    trainer, state, _ = run(tmp_path, Points(broken=range(STEPS)), stage=stage(steps=5, ema=0.0))
    assert trainer.progress.skipped == 5
    assert torch.equal(state["0.weight"], before["0.weight"])


def test_too_many_such_steps_in_a_row_end_the_run(tmp_path):
    with pytest.raises(FloatingPointError, match="10 steps in a row had no finite gradient"):
        run(tmp_path, Points(broken=range(STEPS)))


def test_a_folder_of_another_run_is_refused(tmp_path):
    run(tmp_path, stop_at=2)
    with pytest.raises(ValueError, match="holds another run of stage line: clip, pictures differ"):
        run(tmp_path, stage=replace(stage(), pictures=5, clip=2.0))


def test_only_the_last_checkpoint_is_kept(tmp_path):
    run(tmp_path, save_seconds=0)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == [f"step-{STEPS}"]


def test_scores_are_measured_on_the_way_and_handed_on(tmp_path):
    seen = []
    options = RunOptions(folder=tmp_path, workers=0, quiet=True, score_every=5)
    Trainer(stage(), line(), Points(), options, on_scores=lambda step, scores: seen.append((step, *scores))).run()
    assert seen == [(5, "bias"), (10, "bias"), (12, "bias")]


def test_a_frozen_part_keeps_its_statistics(tmp_path):
    module = line()
    before = distinct(module)["1.running_mean"].clone()
    _, state, _ = run(tmp_path, module=module, stage=stage(rates={"2.*": 0.1}, ema=0.0))
    assert torch.equal(state["1.running_mean"], before)
    assert module[2].training


def test_workers_make_the_same_batches(tmp_path):
    _, alone, _ = run(tmp_path / "alone")
    module = line()
    Trainer(stage(), module, Points(), RunOptions(folder=tmp_path / "workers", workers=1, quiet=True)).run()
    assert all(torch.equal(value, alone[name]) for name, value in distinct(module).items())


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_losses_are_computed_in_the_precision_of_the_stage_and_weights_stay_whole(tmp_path, precision, dtype):
    seen = []

    class Watching(Points):
        def losses(self, module, batch):
            module.register_forward_hook(lambda _module, _given, output: seen.append(output.dtype))
            return super().losses(module, batch)

    _, state, _ = run(tmp_path, Watching(), stage=stage(steps=1, precision=precision))
    assert seen[0] == dtype
    assert all(value.dtype == torch.float32 for name, value in state.items() if name.endswith("weight"))


def test_a_checkpoint_from_before_stages_had_adapters_goes_on(tmp_path):
    trainer, _, _ = run(tmp_path, stop_at=2)
    (folder,) = (tmp_path / "checkpoints").iterdir()
    tensors, state = read_checkpoint(folder)
    del state["stage"]["adapters"]
    write_checkpoint(folder, tensors, state)
    resumed, _, _ = run(tmp_path, stop_at=3)
    assert (trainer.progress.step, resumed.progress.step) == (2, 3)
    state["stage"]["gone"] = 1
    write_checkpoint(tmp_path / "checkpoints" / "step-3", tensors, state)
    with pytest.raises(ValueError, match="holds another run of stage line: gone differ"):
        run(tmp_path)
