"""The training loop: one stage, from its first step or from where it stopped, to its result."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, distributed, nn
from torch.utils.tensorboard import SummaryWriter

from visionllm.training.checkpoints import (
    distinct,
    fill,
    load_optimizer_tensors,
    newest_checkpoint,
    optimizer_tensors,
    read_checkpoint,
    write_checkpoint,
)
from visionllm.training.loader import ShareOfSteps, batches
from visionllm.training.objectives import Objective
from visionllm.training.stages import Stage

_NAN_LIMIT = 10


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a stage is run, as opposed to what it learns.

    Attributes:
        folder: Where checkpoints, logs and the result go.
        workers: Processes that make batches; 0 makes them in between the steps.
        save_seconds: A checkpoint is written after this many seconds.
        score_every: Validation scores are measured every so many steps; 0 only at the end.
        stop_at: Stop after this step as if interrupted; None runs to the end.
        quiet: Show no progress bar.
    """

    folder: Path
    workers: int = 1
    save_seconds: float = 300.0
    score_every: int = 0
    stop_at: int | None = None
    quiet: bool = False


@dataclass(kw_only=True)
class _Progress:
    step: int = 0
    skipped: int = 0
    in_a_row: int = 0
    seconds: float = 0.0


def learning_rate(stage: Stage, step: int) -> float:
    """Return the share of the peak learning rate at a step: linear warm-up, then a cosine down to the floor.

    >>> learning_rate(Stage(name="s", objective="tower", steps=100, pictures=1, rates={"*": 1.0}, warmup=0.1), 5)
    0.6
    """
    warmup = round(stage.warmup * stage.steps)
    if step < warmup:
        return (step + 1) / warmup
    way = (step - warmup) / max(1, stage.steps - warmup)
    return stage.floor + (1 - stage.floor) * 0.5 * (1 + math.cos(math.pi * way))


def train_mode(module: nn.Module) -> None:
    """Put a module into training mode, but for frozen parts: their batch norms keep the statistics they learned."""
    module.train()
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            part.eval()


class Trainer:
    """Runs one stage of a module; a run that was cut off goes on from its newest whole checkpoint, bit for bit.

    Args:
        stage: What trains and for how long.
        module: What is trained, in place.
        objective: Makes batches and losses.
        options: Where and how.
        on_scores: Called with (step, scores) after each measurement.

    Raises:
        ValueError: If the folder holds checkpoints of a different stage.
    """

    def __init__(
        self,
        stage: Stage,
        module: nn.Module,
        objective: Objective,
        options: RunOptions,
        on_scores: Callable[[int, Mapping[str, float]], None] | None = None,
    ) -> None:
        self.stage, self.objective, self.options, self.on_scores = stage, objective, options, on_scores
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        self.module = module.to(self.accelerator.device)
        self.optimizer = torch.optim.AdamW(stage.groups(module), betas=(0.9, 0.98))
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.names: dict[Tensor, str] = {p: n for n, p in module.named_parameters() if p.requires_grad}
        self.average = {n: p.detach().clone() for n, p in distinct(self.module).items()} if stage.ema else {}
        self.progress = _Progress()
        self._resume()

    def _resume(self) -> None:
        newest = newest_checkpoint(self.options.folder / "checkpoints")
        if newest is None:
            return
        tensors, state = read_checkpoint(newest)
        own, kept = json.loads(json.dumps(asdict(self.stage))), state["stage"]
        # A checkpoint lacks what no stage had when it was written.
        if changed := [key for key in sorted(own | kept) if kept.get(key) != own.get(key)]:
            raise ValueError(
                f"{self.options.folder} holds another run of stage {self.stage.name}: {', '.join(changed)} differ"
            )
        fill(self.module, tensors["model"])
        self.average = tensors.get("average", {})
        load_optimizer_tensors(self.optimizer, self.names, tensors["optimizer"])
        self.progress = _Progress(**state["progress"])

    def save(self) -> None:
        """Write a checkpoint of this step and drop older ones; the first of several processes does."""
        if not self.accelerator.is_main_process:
            return
        folder = self.options.folder / "checkpoints" / f"step-{self.progress.step}"
        tensors = {"model": distinct(self.module), "optimizer": optimizer_tensors(self.optimizer, self.names)}
        if self.average:
            tensors["average"] = self.average
        write_checkpoint(folder, tensors, {"stage": asdict(self.stage), "progress": asdict(self.progress)})
        for old in folder.parent.glob("step-*"):
            if old != folder:
                for path in old.iterdir():
                    path.unlink()
                old.rmdir()

    def _step(self, batch: Any) -> dict[str, Tensor]:
        """Do one step; a step whose loss or gradient is not finite changes nothing."""
        share = learning_rate(self.stage, self.progress.step)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        torch.manual_seed(self.stage.seed * 1_000_003 + self.progress.step)
        device = self.accelerator.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.stage.precision == "bf16"):
            losses = self.objective.losses(self.module, batch)
        self.accelerator.backward(torch.stack(list(losses.values())).sum())
        self._share_gradients()
        norm = nn.utils.clip_grad_norm_(self.names.keys(), self.stage.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.progress.in_a_row = 0
        else:
            self.progress.skipped += 1
            self.progress.in_a_row += 1
            if self.progress.in_a_row >= _NAN_LIMIT:
                raise FloatingPointError(f"stage {self.stage.name}: {_NAN_LIMIT} steps in a row had no finite gradient")
        self.optimizer.zero_grad(set_to_none=True)
        self._follow()
        return losses

    def _share_gradients(self) -> None:
        """Average the gradients over all processes; a part that this process did not use counts as zero."""
        if self.accelerator.num_processes == 1:
            return
        for parameter in self.names:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self.names if p.grad is not None]
        mean = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(mean.div_(self.accelerator.num_processes))
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the averaged weights follow the trained ones; buffers are copied."""
        decay = min(self.stage.ema, (self.progress.step + 1) / (self.progress.step + 10))
        for name, value in distinct(self.module).items() if self.average else ():
            if value.is_floating_point():
                self.average[name].lerp_(value.detach(), 1 - decay)
            else:
                self.average[name].copy_(value)

    def measure(self) -> dict[str, float]:
        """Return the validation scores of the averaged weights (or the last ones)."""
        last = {n: v.clone() for n, v in distinct(self.module).items()}
        fill(self.module, self.average or last)
        self.module.eval()
        scores = dict(self.objective.scores(self.module)) if self.accelerator.is_main_process else {}
        fill(self.module, last)
        train_mode(self.module)
        if self.on_scores is not None and self.accelerator.is_main_process:
            self.on_scores(self.progress.step, scores)
        return scores

    def run(self) -> dict[str, float]:
        """Train to the end of the stage (or `stop_at`), leave the result in the module, and return its scores."""
        stage, options, state = self.stage, self.options, self.progress
        last = min(stage.steps, options.stop_at or stage.steps)
        train_mode(self.module)
        place = "logs" if self.accelerator.is_main_process else f"logs-{self.accelerator.process_index}"
        logs = SummaryWriter(str(options.folder / place))
        bar = Progress(
            TextColumn(stage.name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            disable=options.quiet or not self.accelerator.is_main_process,
        )
        with bar, logs:
            task = bar.add_task(stage.name, total=stage.steps, completed=state.step, note="")
            saved = started = time.monotonic()
            own = ShareOfSteps(self.objective, self.accelerator.process_index, self.accelerator.num_processes)
            for batch in batches(own, state.step, last, workers=options.workers):
                losses = self._step(batch)
                state.step += 1
                if state.step % 20 == 0 or state.step == last:
                    values = {n: float(v.detach()) for n, v in losses.items()}
                    for name, value in values.items():
                        logs.add_scalar(f"loss/{name}", value, state.step)
                    bar.update(task, completed=state.step, note=f"loss {sum(values.values()):.3f}")
                if time.monotonic() - saved > options.save_seconds:
                    state.seconds += time.monotonic() - started
                    saved = started = time.monotonic()
                    self.save()
                if options.score_every and state.step % options.score_every == 0 and state.step < last:
                    for name, value in self.measure().items():
                        logs.add_scalar(f"score/{name}", value, state.step)
            state.seconds += time.monotonic() - started
            self.save()
            if last < stage.steps:
                return {}
            scores = self.measure()
            for name, value in scores.items():
                logs.add_scalar(f"score/{name}", value, state.step)
        if self.average:
            fill(self.module, self.average)
        return scores
