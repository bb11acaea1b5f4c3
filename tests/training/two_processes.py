"""Run by torchrun: train the toy and leave its weights where the first argument says."""

import sys
from pathlib import Path

from safetensors.torch import save_file

from tests.training.toy import Points, line, stage
from visionllm.training.checkpoints import distinct
from visionllm.training.trainer import RunOptions, Trainer


def main() -> None:
    folder, module = Path(sys.argv[1]), line()
    plan = stage(ema=0.0, rates={"0.*": 0.1, "2.*": 0.1})
    trainer = Trainer(plan, module, Points(), RunOptions(folder=folder, workers=0, quiet=True))
    trainer.run()
    save_file(distinct(module), folder / f"weights-{trainer.accelerator.process_index}.safetensors")


if __name__ == "__main__":
    main()
