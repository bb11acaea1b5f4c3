"""A recipe: everything that is needed to train a model from nothing, as one value, and the run of its stages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors.torch import load_file
from torch import Tensor, nn

from visionllm.config import VisionLLMConfig
from visionllm.data.world.tasks import corpus_lines
from visionllm.processing import ProcessorConfig, VisionLLMProcessor, train_tokenizer
from visionllm.training.adopting import carried
from visionllm.training.building import build_module, build_objective
from visionllm.training.checkpoints import distinct, fill, read_checkpoint, write_checkpoint
from visionllm.training.expert import Judge
from visionllm.training.link import LinkedModel
from visionllm.training.objectives import Objective
from visionllm.training.stages import Stage
from visionllm.training.trainer import RunOptions, Trainer
from visionllm.weights import add_adapters, load_adapters, load_model, merge_adapters, save_adapters, save_model

SHARD_BYTES = 14_800_000
"""Of tensors; with its list of names, a file stays under 15 MB."""
ADAPTERS = "adapters"
"""Folder of a stage's adapters, beside its result."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model of the picture world comes about.

    Attributes:
        name: Of the model.
        processor: How requests become tensors.
        model: Returns the network's sizes for a processor.
        stages: In their order.
        asked: Stages that run only when they are named.
        vocabulary: Most tokens of the tokenizer.
        corpus: Lines of text the tokenizer is trained on.
    """

    name: str
    processor: ProcessorConfig
    model: Callable[[VisionLLMProcessor], VisionLLMConfig]
    stages: tuple[Stage, ...]
    vocabulary: int
    corpus: int
    asked: tuple[Stage, ...] = ()

    def stage(self, name: str) -> Stage:
        """Return a stage by its name.

        Raises:
            ValueError: If there is none.
        """
        every = {stage.name: stage for stage in (*self.stages, *self.asked)}
        if name not in every:
            raise ValueError(f"expected a stage of {self.name} among {', '.join(every)}, got {name!r}")
        return every[name]


class RecipeRun:
    """The run of a recipe in a folder: a sub-folder a stage, each with checkpoints, logs, result and scores.

    Args:
        recipe: What to run.
        folder: Where; a run that was cut off goes on from there.
        options: Workers and intervals; their folder is not used.
        photos: Draw on photo backgrounds too; needs the extra `world`.
        judge: Scores detections on the validation split.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        options: RunOptions,
        *,
        photos: bool = True,
        judge: Judge | None = None,
    ) -> None:
        self.recipe, self.folder, self.options, self.photos, self.judge = recipe, folder, options, photos, judge
        self.processes = PartialState(cpu=not torch.cuda.is_available())

    def processor(self) -> VisionLLMProcessor:
        """Return the processor, whose tokenizer is trained the first time."""
        path = self.folder / "processor"
        if path.is_dir():
            return VisionLLMProcessor.from_pretrained(path)
        tokenizer = train_tokenizer(corpus_lines(0, self.recipe.corpus, versions=(1, 2)), self.recipe.vocabulary)
        processor = VisionLLMProcessor(self.recipe.processor, tokenizer)
        processor.save_pretrained(path)
        return processor

    def run(
        self,
        names: Sequence[str] | None = None,
        on_scores: Callable[[str, int, Mapping[str, float]], None] | None = None,
    ) -> None:
        """Run the named stages, or all that have no result yet and need not be named, in the recipe's order.

        Raises:
            ValueError: If a stage is unknown, or needs the result of one that has not run.
        """
        for name in names or ():
            self.recipe.stage(name)
        for stage in (*self.recipe.stages, *(self.recipe.asked if names else ())):
            wanted = stage.name in names if names else not self.has_result(stage.name)
            if wanted and not self._run(stage, on_scores):
                return

    def _result(self, name: str) -> Path:
        return self.folder / name / "result"

    def _run(self, stage: Stage, on_scores: Callable[[str, int, Mapping[str, float]], None] | None) -> bool:
        """Run one stage; return whether it came to its end."""
        torch.manual_seed(stage.seed)
        module = self.module(stage)
        trainer = Trainer(
            stage,
            module,
            self.objective(stage),
            replace(self.options, folder=self.folder / stage.name),
            on_scores=None if on_scores is None else lambda step, scores: on_scores(stage.name, step, scores),
        )
        scores = trainer.run()
        if trainer.progress.step < stage.steps:
            return False
        if not self.processes.is_main_process:
            return True
        if stage.adapters is not None and isinstance(module, LinkedModel):
            save_adapters(module.model, self.folder / stage.name / ADAPTERS)
            merge_adapters(module.model)
        write_checkpoint(self._result(stage.name), {"model": distinct(module)}, {"scores": scores})
        if isinstance(module, LinkedModel):
            save_model(module.model, self.processor(), self.folder / stage.name / "model")
        return True

    def has_result(self, name: str) -> bool:
        """Tell whether a stage is finished."""
        return self._result(name).is_dir()

    def trained(self, name: str) -> nn.Module:
        """Return what a finished stage trained.

        Raises:
            ValueError: If the stage is unknown or has no result, or the result does not fit what the stage trains.
        """
        module = self._build(self.recipe.stage(name))
        if not self.has_result(name):
            raise ValueError(f"expected a finished stage {name} in {self.folder}, got none")
        fill(module, read_checkpoint(self._result(name))[0]["model"])
        return module

    def export(self, name: str, path: Path) -> None:
        """Write the model of a finished stage as it is shipped: half precision, files of at most 15 MB.

        Raises:
            ValueError: If the stage is unknown, has no result, or does not train the language model.
        """
        stage = self.recipe.stage(name)
        if stage.objective != "tasks" or not self.has_result(name):
            raise ValueError(f"expected a finished stage of the language model, got {name}; see {self.folder}")
        module = self.trained(name)
        if isinstance(module, LinkedModel):
            save_model(module.model, self.processor(), path, dtype=torch.float16, shard_bytes=SHARD_BYTES)

    def export_adapters(self, name: str, path: Path) -> None:
        """Write the adapters of a finished stage alone, for the model that the stage began with.

        Raises:
            ValueError: If the stage is unknown, has no adapters or no result, or they are damaged.
        """
        stage = self.recipe.stage(name)
        if stage.adapters is None or not self.has_result(name):
            raise ValueError(f"expected a finished stage with adapters, got {name}; see {self.folder}")
        module = self._build(stage)
        if isinstance(module, LinkedModel):
            load_adapters(module.model, self.folder / name / ADAPTERS)
            save_adapters(module.model, path)

    def adopt(self, path: Path, name: str, *, new_words: bool = False) -> None:
        """Take a model folder as the result of a stage, so that later stages go on from it.

        Args:
            path: Of the model.
            name: Of the stage.
            new_words: Train the recipe's own tokenizer, and carry the model's words over to it; else the run has the
                model's.

        Raises:
            ValueError: If the stage is unknown or has a result, or the model is broken or has parts the stage lacks.
        """
        stage = self.recipe.stage(name)
        if self.has_result(name):
            raise ValueError(f"expected no result of stage {name} in {self.folder}, got one")
        model = load_model(path, device="cpu", dtype=torch.float32)
        before = VisionLLMProcessor.from_pretrained(path)
        if not new_words:
            VisionLLMProcessor(self.recipe.processor, before.tokenizer).save_pretrained(self.folder / "processor")
        module = self._build(stage)
        if not isinstance(module, LinkedModel):
            raise ValueError(f"expected a stage of the language model, got {name}")
        state = carried(distinct(model), distinct(module.model), before.vocabulary, self.processor().vocabulary)
        write_checkpoint(
            self._result(name), {"model": {f"model.{key}": tensor for key, tensor in state.items()}}, {"scores": {}}
        )

    def module(self, stage: Stage) -> nn.Module:
        """Build what a stage trains, with the parts it takes over from earlier stages, and its adapters.

        Raises:
            ImportError: If peft is missing, and the stage has adapters.
            ValueError: If a part is not there or fits nothing, or the adapters don't fit.
        """
        module = self._build(stage)
        state = distinct(module)
        for target, source in stage.start.items():
            state |= self._part(stage, state, target, source)
        fill(module, state)
        if stage.adapters is not None and isinstance(module, LinkedModel):
            add_adapters(module.model, stage.adapters)
        return module

    def _part(self, stage: Stage, own: Mapping[str, Tensor], target: str, source: str) -> dict[str, Tensor]:
        """Return the tensors `stage:prefix` of an earlier result, or their mean over several, by their names here."""
        names, prefix = source.split(":")
        first, *others = [self._tensors(stage, name) for name in names.split("+")]
        if any(other.keys() != first.keys() for other in others):
            raise ValueError(f"stage {stage.name}: expected {names} to be of one network, got different tensors")
        found = {
            f"{target}{key.removeprefix(prefix)}": _mean([tensor, *(other[key] for other in others)])
            for key, tensor in first.items()
            if key == prefix or key.startswith(prefix + ".")
        }
        taken = {k: v for k, v in found.items() if k in own}
        if not taken:
            raise ValueError(f"stage {stage.name}: nothing of {source} fits {target}")
        return taken

    def _tensors(self, stage: Stage, name: str) -> dict[str, Tensor]:
        path = self._result(name) / "model.safetensors"
        if not path.is_file():
            raise ValueError(f"stage {stage.name} needs the result of stage {name}; expected it in {path}, got none")
        return load_file(path)

    def _build(self, stage: Stage) -> nn.Module:
        return build_module(stage, self.recipe.model(self.processor()))

    def objective(self, stage: Stage) -> Objective:
        """Return what a stage learns; of several processes each takes its share of the pictures.

        Raises:
            ValueError: If the objective is unknown, or the pictures cannot be shared evenly.
        """
        processes = self.processes.num_processes
        if stage.pictures % processes:
            raise ValueError(
                f"stage {stage.name}: expected a number of processes that divides {stage.pictures}, got {processes}"
            )
        share = replace(stage, pictures=stage.pictures // processes, units=-(-stage.units // processes))
        return build_objective(
            share,
            self.recipe.model(self.processor()),
            self.processor(),
            photos=self.photos,
            judge=self.judge,
        )


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors; what only counts, such as steps of a norm, is taken from the first."""
    first = tensors[0]
    return torch.stack(list(tensors)).mean(dim=0) if len(tensors) > 1 and first.is_floating_point() else first
