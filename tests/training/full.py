"""A small model with every decoder, and rows of questions about both versions of the world."""

from collections.abc import Sequence

from tests.small import FULL, more_decoders, small_model, small_processor
from visionllm.data.world import draw_picture
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.tasks import ALL_FAMILIES, make_sample
from visionllm.processing import MadePictureConfig, VisionLLMProcessor
from visionllm.training.aims import AimEncoder
from visionllm.training.link import LinkedModel
from visionllm.types import Sample


def full_processor() -> VisionLLMProcessor:
    """Return a processor that knows what pictures the small decoders make."""
    made = {name: more_decoders()[name] for name in ("generation", "editing")}
    pictures = {name: MadePictureConfig(size_hw=values["picture_hw"], step=2) for name, values in made.items()}
    return small_processor(**FULL | {"pictures": pictures, "context_length": 2048})


def full_module(processor: VisionLLMProcessor) -> LinkedModel:
    """Return a random model with every decoder, and an expert's aims."""
    return LinkedModel(small_model(processor), {"detection": AimEncoder(32, 4)})


def routed_rows(*families: str, count: int = 2) -> list[tuple[WorldPicture, Sequence[Sample]]]:
    """Return rows of one question whose answer opens a decoder, `count` of each family."""
    rows: list[tuple[WorldPicture, Sequence[Sample]]] = []
    for name in families:
        about = ALL_FAMILIES[name]
        found = 0
        for seed in range(100):
            picture = draw_picture(seed, split="validation", photos=False, version=about.version, theme=about.theme)
            sample = make_sample(picture, name, seed)
            if found == count:
                break
            if sample is not None and sample.truth:
                rows.append((picture, [sample]))
                found += 1
    return rows
