"""How a model is loaded, as options that every command has that loads one."""

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

PRECISIONS = ("fp32", "bf16", "fp16", "int8", "int4")
Precision = Annotated[
    str | None,
    typer.Option(help=f"One of {', '.join(PRECISIONS)}; int8 and int4 shrink the language model only."),
]
Decoders = Annotated[
    list[str] | None,
    typer.Option("--decoder", help="Load this decoder and none that is not named; can be given several times."),
]
Adapters = Annotated[Path | None, typer.Option(help="Folder of adapters for the language model.")]
Offload = Annotated[Path | None, typer.Option(help="Folder for layers that fit nowhere else, with --device auto.")]
OPTIONS: Mapping[str, Any] = {
    "precision": Precision,
    "decoders": Decoders,
    "adapters": Adapters,
    "offload_folder": Offload,
}
_given: ContextVar[Mapping[str, Any] | None] = ContextVar("given", default=None)


def loads_a_model(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of this module; `chosen` returns what the user said while it runs."""
    signature = inspect.signature(command)

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        token = _given.set({name: options.pop(name, None) for name in OPTIONS})
        try:
            command(*arguments, **options)
        finally:
            _given.reset(token)

    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    vars(run)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), *more])
    run.__annotations__ = {**command.__annotations__, **OPTIONS}
    return run


def chosen(device: str | None) -> dict[str, Any]:
    """Return the arguments of `VisionLLM.load` that the user asked for.

    Args:
        device: What `--device` says; `auto` spreads the model over all there are.

    Raises:
        ValueError: If the precision is unknown.
    """
    given = _given.get() or {}
    found: dict[str, Any] = {"device": device}
    if device == "auto":
        found = {"device": None, "device_map": "auto"}
    if (precision := given.get("precision")) is not None:
        found |= _precision(precision)
    return found | {name: given[name] for name in ("decoders", "adapters", "offload_folder") if given.get(name)}


def _precision(name: str) -> dict[str, Any]:
    import torch

    types = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name not in PRECISIONS:
        raise ValueError(f"expected --precision among {', '.join(PRECISIONS)}, got {name!r}")
    return {"dtype": types[name]} if name in types else {"quantise": name}
