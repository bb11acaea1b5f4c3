"""Libraries that are there only with an extra: imported when they are needed, and kept from fetching code."""

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FETCHER = "kernels"


def optional(name: str, purpose: str, extra: str) -> Any:
    """Import a library.

    Args:
        name: Of the library, or of a module in it.
        purpose: What needs it.
        extra: The extra that holds it.

    Raises:
        ImportError: If it is missing.
    """
    with nothing_fetched():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            library = name.partition(".")[0]
            raise ImportError(f"{purpose} needs {library}: pip install 'visionllm-v2[{extra}]'") from missing


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """Let libraries be imported without code from a hub.

    On some processors bitsandbytes, which others import where it is installed, asks the library `kernels` for code from
    the Hub, and complains if that is missing. It has code of its own, and uses it where there is no such library.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    fetcher = sys.modules.get(_FETCHER)
    sys.modules[_FETCHER] = None  # pyright: ignore[reportArgumentType] – how Python says that there is none
    try:
        yield
    finally:
        sys.modules.pop(_FETCHER, None)
        if fetcher is not None:
            sys.modules[_FETCHER] = fetcher
