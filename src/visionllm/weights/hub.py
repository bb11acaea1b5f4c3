"""Models that lie on the Hugging Face hub: their files are fetched once, and nothing in them is run."""

import re
from pathlib import Path

PATTERNS = ("*.json", "*.model", "*.safetensors", "*.bin")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_id(name: str) -> bool:
    """Tell whether a name can be that of a model on the hub: an owner and a model.

    >>> is_hub_id("OpenGVLab/VisionLLMv2"), is_hub_id("../models/mine"), is_hub_id("tiny")
    (True, False, False)
    """
    return _ID.fullmatch(name) is not None


def fetch_model(name: str) -> Path:
    """Return the folder of a model of the hub, which is fetched unless it is there already.

    Args:
        name: Such as `OpenGVLab/VisionLLMv2`.

    Raises:
        ValueError: If the package huggingface_hub is not installed, or the hub cannot be reached or has no such model.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise ValueError(f"expected the package huggingface_hub, which fetches {name!r}: pip install it") from error
    try:
        return Path(snapshot_download(name, allow_patterns=list(PATTERNS)))
    except (OSError, RuntimeError, HFValidationError) as error:  # the hub's own errors are OSErrors, or RuntimeErrors
        first = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"expected the folder of a model, or a model on the hub that can be reached, got {name!r}: {first}"
        ) from error
