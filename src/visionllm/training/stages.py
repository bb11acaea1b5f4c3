"""A stage of training as a value: what trains, on what, for how long."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from torch import nn

from visionllm.weights import AdapterConfig

ADAPTER, ADAPTED = "lora_", ".base_layer."
"""In the names of an adapter's matrices, and of those that it is added to."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a recipe.

    Attributes:
        name: Name of the stage; its result is saved under it.
        objective: What is learnt, such as `"tower"` or `"tasks"`; see `visionllm.training.objectives`.
        steps: Number of optimiser steps.
        pictures: Pictures a step.
        rates: Learning rate by parameter name pattern (shell style, first match counts); what none matches is frozen.
        mixture: Relative weight of each task family; empty where the objective has no questions.
        themes: Relative weight of pictures of version 1 and of each theme of version 2; see
            `visionllm.training.pictures`. Empty means version 1 only, or what the objective is about.
        decoders: The decoders that the language model has in this stage.
        adapters: Low-rank adapters that learn in place of the language model's matrices; `rates` name them, as in
            `"*.lora_*"`. The result has them merged, and they lie beside it alone; see `visionllm.weights.lora`.
        pool: Number of different pictures that a painter learns from.
        close_ups: A painter looks at close-ups in every other step.
        questions: Questions packed with each picture.
        units: At most about so many units a batch teach each decoder; 0 leaves them out.
        link_weight: Weight of the loss that draws slot states towards what an expert detector was asked with.
        words_weight: Weight of the losses that tell picture tokens what they show and phrases where to look; 0 leaves
            them out.
        precision: `"fp32"`, or `"bf16"` for forward passes under autocast (weights and moments stay fp32).
        warmup: Share of the steps in which the learning rate rises, in [0, 1).
        decay: Weight decay of matrices; vectors have none.
        ema: Decay of the averaged weights that are saved as the result; 0 saves the last weights.
        clip: Largest gradient norm.
        floor: Learning rate at the end of the cosine, as a share of the peak.
        seed: Seed of pictures, questions and noise.
        start: Parts taken over from earlier stages: name of the part here, then `stage:name` there; the mean of several
            stages is `stage+stage:name`, as stages of one network on one way give it (model soups, arXiv:2203.05482).

    Raises:
        ValueError: If a value is out of its range.
    """

    name: str
    objective: str
    steps: int
    pictures: int
    rates: Mapping[str, float]
    mixture: Mapping[str, float] = field(default_factory=dict)
    themes: Mapping[str, float] = field(default_factory=dict)
    decoders: tuple[str, ...] = ()
    adapters: AdapterConfig | None = None
    pool: int = 16_000
    close_ups: bool = False
    questions: int = 6
    units: int = 0
    link_weight: float = 0.0
    words_weight: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    warmup: float = 0.03
    decay: float = 0.01
    ema: float = 0.0
    clip: float = 1.0
    floor: float = 0.01
    seed: int = 0
    start: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ranges = {
            "steps": self.steps >= 1,
            "pictures": self.pictures >= 1,
            "rates": bool(self.rates) and all(rate >= 0 for rate in self.rates.values()),
            "mixture": all(weight >= 0 for weight in self.mixture.values()),
            "themes": all(weight >= 0 for weight in self.themes.values()),
            "adapters": self.adapters is None or self.objective == "tasks",
            "pool": self.pool >= 1,
            "questions": self.questions >= 1,
            "units": self.units >= 0,
            "link_weight": self.link_weight >= 0,
            "words_weight": self.words_weight >= 0,
            "precision": self.precision in ("fp32", "bf16"),
            "warmup": 0 <= self.warmup < 1,
            "ema": 0 <= self.ema < 1,
            "clip": self.clip > 0,
        }
        for name, fits in ranges.items():
            if not fits:
                raise ValueError(f"stage {self.name}: {name} is out of range: got {getattr(self, name)}")

    def groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Freeze what the stage does not train and return optimiser groups of the rest.

        Raises:
            ValueError: If a pattern matches no parameter, nothing trains, or with adapters they rest or what they are
                added to does not.
        """
        used: set[str] = set()
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            pattern = next((p for p in self.rates if fnmatchcase(name, p)), None)
            rate = None if pattern is None else self.rates[pattern]
            parameter.requires_grad_(bool(rate))
            used |= {pattern} if pattern is not None else set()
            if rate:
                decay = self.decay if parameter.ndim > 1 else 0.0
                groups.setdefault((rate, decay), []).append(parameter)
        unused = [p for p in self.rates if p not in used]
        if unused:
            raise ValueError(f"stage {self.name}: no parameter is named like {', '.join(unused)}")
        if not groups:
            raise ValueError(f"stage {self.name}: nothing trains")
        if self.adapters is not None:
            self._check_adapters([name for name, p in module.named_parameters() if p.requires_grad])
        return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]

    def _check_adapters(self, trained: Collection[str]) -> None:
        if not any(ADAPTER in name for name in trained):
            raise ValueError(f"stage {self.name}: expected a rate of its adapters, such as *.{ADAPTER}*, got none")
        if wrong := next((name for name in trained if ADAPTED in name), None):
            raise ValueError(f"stage {self.name}: expected what has an adapter to rest, got a rate for {wrong}")

    @property
    def beside_adapters(self) -> tuple[str, ...]:
        """Patterns of what trains beside adapters; the adapters alone don't hold it."""
        return tuple(pattern for pattern, rate in self.rates.items() if rate and ADAPTER not in pattern)
