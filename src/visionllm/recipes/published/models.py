"""The configurations of the published models, each as their own `config.json` says it, in a file of its name."""

from pathlib import Path
from typing import Any

from visionllm.config import VisionLLMConfig
from visionllm.weights.folder import read_json
from visionllm.weights.published import config_from_published

_FOLDER = Path(__file__).parent
NAMES = tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))
"""The published models that there is a configuration of."""


def published_settings(name: str) -> dict[str, Any]:
    """Return what the `config.json` of a published model says of its network, in its own words.

    Raises:
        ValueError: If there is no such model.

    Source: SPEC of the 7B release; what is left out has the defaults of the library it belongs to.
    """
    if name not in NAMES:
        raise ValueError(f"expected a published model among {', '.join(NAMES)}, got {name!r}")
    return read_json(_FOLDER / f"{name}.json")


def published_config(name: str) -> VisionLLMConfig:
    """Return the configuration of our network for a published model; it has that model's faults too.

    Raises:
        ValueError: If there is no such model.

    >>> published_config("7b").text_config.hidden_size
    4096
    """
    return config_from_published(published_settings(name))
