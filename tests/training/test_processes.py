"""Several processes train one model."""

import os
import subprocess
import sys

import torch
from safetensors.torch import load_file

from tests.training.toy import Points, line, stage
from visionllm.training.loader import ShareOfSteps
from visionllm.training.trainer import learning_rate


def test_processes_take_turns_with_the_batches():
    first, second = (ShareOfSteps(Points(), rank, 2) for rank in range(2))
    assert [first.batch(0)[0], second.batch(0)[0], first.batch(1)[0], second.batch(1)[0]] == [0, 1, 2, 3]


def test_two_processes_take_the_mean_of_their_gradients(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29531"]
    path = os.pathsep.join(p for p in sys.path if p)
    subprocess.run(
        [*command, "-m", "tests.training.two_processes", str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    weights = [load_file(tmp_path / f"weights-{rank}.safetensors") for rank in range(2)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in ("0.weight", "2.weight"))

    plan, module, points = stage(ema=0.0), line(), Points()
    module[1].train(False)
    chosen = [*module[0].parameters(), *module[2].parameters()]
    groups = [
        {"params": [p for p in chosen if p.ndim > 1], "weight_decay": plan.decay},
        {"params": [p for p in chosen if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.98))
    for step in range(plan.steps):
        for rank in range(2):
            torch.manual_seed(step)
            (points.losses(module, points.batch(2 * step + rank))["square"] / 2).backward()
        torch.nn.utils.clip_grad_norm_(chosen, plan.clip)
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * learning_rate(plan, step)
        optimizer.step()
        optimizer.zero_grad()
    torch.testing.assert_close(module.get_parameter("0.weight").detach(), weights[0]["0.weight"], rtol=1e-4, atol=1e-5)
