"""Typed access to parsed JSON whose shape cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from tinyc.errors import TinycError

T = TypeVar("T")

_NAMES = {bool: "true or false", int: "a whole number", str: "a text", list: "a list", dict: "an object"}


class Fields:
    """One object of the file, and the path of names that leads to it.

    Every access raises TinycError that names the file and the path.
    """

    def __init__(self, file: str, path: str, values: Mapping[str, Any]) -> None:
        self._file = file
        self._path = path
        self._values = values

    def where(self, name: str = "") -> str:
        path = f"{self._path}.{name}" if self._path and name else self._path or name
        return f"{self._file}: {path}" if path else self._file

    def get(self, name: str, kind: type[T]) -> T:
        """The value of a field that has to be there."""
        value = self._values.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise TinycError(
                "is missing" if name not in self._values else f"is {_shown(value)}",
                where=self.where(name),
                allowed=_NAMES[kind],
            )
        return value

    def optional(self, name: str, kind: type[T]) -> T | None:
        """The value of a field that may be absent or null."""
        return None if self._values.get(name) is None else self.get(name, kind)

    def section(self, name: str) -> Fields | None:
        """A component, None where the file has none."""
        values = self.optional(name, dict)
        return None if values is None else Fields(self._file, self.where(name).split(": ")[-1], values)

    def sections(self, name: str) -> list[Fields]:
        """A list of components."""
        found = []
        for index, values in enumerate(self.get(name, list)):
            path = f"{self.where(name).split(': ')[-1]}[{index}]"
            if not isinstance(values, dict):
                raise TinycError(f"is {_shown(values)}", where=f"{self._file}: {path}", allowed="an object")
            found.append(Fields(self._file, path, values))
        return found

    def names(self) -> list[str]:
        return list(self._values)

    def require(self, name: str, *allowed: object) -> None:
        """Refuse a field that is there with a value that the device does not have."""
        value = self._values.get(name)
        if value is not None and value not in allowed:
            self.refuse(name, f"is {_shown(value)}", " or ".join(_shown(v) for v in allowed) or "null")

    def refuse(self, name: str, what: str, allowed: str = "", hint: str = "") -> None:
        """Raise TinycError about one field."""
        raise TinycError(what, where=self.where(name), allowed=allowed, hint=hint)


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
