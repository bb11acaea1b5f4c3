"""A folder of pictures through the engine, as `visionllm run` does it, against the same pictures one by one."""

from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from material import CAPTION, pictures, require_same_answers
from measuring import Measurement, speedup
from visionllm import Answer, VisionLLM, ask
from visionllm.cli.many import engine_limits, told
from visionllm.engine import Engine
from visionllm.processing import open_picture, picture_files

NAME = "folder"
SIZE = 32


def measure(size: int = SIZE, pairs: int = 5) -> list[Measurement]:
    """Describe every picture of a folder; starting the engine counts."""
    model = VisionLLM.load()
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, picture in enumerate(islice(pictures(), size)):
            picture.save(folder / f"{number:03}.png")
        files = picture_files(folder)
        ratio = speedup(
            lambda: [model.answer([ask(CAPTION, open_picture(file))])[0] for file in files],
            lambda: _through_the_engine(model, files),
            require_same=require_same_answers,
            pairs=pairs,
        )
    return [Measurement(name=f"folder of {size} pictures", value=ratio, unit="x", at_least=1.5)]


def _through_the_engine(model: VisionLLM, files: list[Path]) -> list[Answer]:
    with Engine(model, engine_limits()) as engine:
        return [one.answer for one in told(engine, files, partial(ask, CAPTION)) if one.answer is not None]
