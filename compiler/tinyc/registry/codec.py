"""Frozen dataclasses as JSON values and back, strictly: what comes back has the types that were declared."""

from __future__ import annotations

import dataclasses
import types
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def encode(value: Any) -> Any:
    """`value` as JSON values. Times are ISO 8601 with their offset."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def decode(kind: type[T], value: Any) -> T:
    """The dataclass that `encode` wrote. Raises ValueError for anything else."""
    found: T = _decode(kind, value, kind.__name__)
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_class(kind, value, where)
    origin = get_origin(kind)
    if origin in (types.UnionType, Union):
        wanted = [each for each in get_args(kind) if each is not type(None)]
        return None if value is None else _decode(wanted[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} is {value!r}, needs a list")
        return tuple(_decode(get_args(kind)[0], item, where) for item in value)
    if kind is datetime:
        if not isinstance(value, str):
            raise ValueError(f"{where} is {value!r}, needs a time")
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(f"{where} is {value!r}, needs a time with its offset")
        return at
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{where} is {value!r}, needs {kind.__name__}")
    return value


def _decode_class(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r}, needs an object")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise ValueError(f"{where} has {', '.join(unknown)}, which it does not know")
    hints = _hints(kind)
    given = {name: _decode(hints[name], value[name], f"{where}.{name}") for name in fields if name in value}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error
