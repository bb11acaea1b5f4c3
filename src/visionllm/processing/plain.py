"""Plain data, as JSON and TOML hold it, to frozen values: an unknown key or a value of a wrong type is refused."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

ConfigT = TypeVar("ConfigT")


def from_plain(kind: type[ConfigT], plain: Any, where: str) -> ConfigT:
    """Build a frozen config from JSON data.

    Raises:
        ValueError: If a key is unknown, with its path, or a value has a wrong type.
    """
    if not isinstance(plain, dict):
        raise ValueError(f"expected an object at {where}, got {plain!r}")
    hints = get_type_hints(kind)
    unknown = sorted(set(plain) - set(hints))
    if unknown:
        raise ValueError(f"expected no key {unknown[0]!r} at {where}, got one; known keys are {', '.join(hints)}")
    values = {key: _value(hints[key], value, f"{where}:{key}") for key, value in plain.items()}
    try:
        return kind(**values)
    except TypeError:
        raise ValueError(
            f"expected every key without a default at {where}, got only {', '.join(plain) or 'none'}"
        ) from None


def _value(hint: Any, plain: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if plain is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), plain, where)
    if origin is Literal:
        fits = plain in arguments
    elif is_dataclass(hint):
        return from_plain(hint if isinstance(hint, type) else type(hint), plain, where)
    elif origin is tuple:
        if isinstance(plain, list):
            return _sequence(arguments, plain, where)
        fits = False
    elif origin is Mapping:
        if isinstance(plain, dict):
            return {key: _value(arguments[1], value, f"{where}:{key}") for key, value in plain.items()}
        fits = False
    elif hint is float:
        fits = isinstance(plain, int | float) and not isinstance(plain, bool)
    else:
        fits = isinstance(plain, hint) and (hint is bool or not isinstance(plain, bool))
    if not fits:
        name = getattr(hint, "__name__", str(hint)) if origin is None else str(hint)
        raise ValueError(f"expected {name} at {where}, got {plain!r}")
    return plain


def _sequence(arguments: tuple[Any, ...], plain: list[Any], where: str) -> tuple[Any, ...]:
    if arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(plain)
    if len(arguments) != len(plain):
        raise ValueError(f"expected {len(arguments)} values at {where}, got {len(plain)}")
    return tuple(_value(a, value, f"{where}:{i}") for i, (a, value) in enumerate(zip(arguments, plain, strict=True)))
