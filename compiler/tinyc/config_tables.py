"""Takes values of a kind out of the tables of a `tinyc.toml`, and collects what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyc.errors import Problem, nearest


class Tables:
    """The tables of the file at `path`, by name.

    `known` has the keys of each table; a table without any there checks its own. A key that is missing is
    None or its default, and so is a value that is wrong, which gives a problem.
    """

    def __init__(self, path: Path, table: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.tables: dict[str, dict[str, Any]] = {}
        for name, value in table.items():
            if name not in known:
                self.problems.append(
                    Problem(name, "is not a table of tinyc.toml", nearest(name, tuple(known)))
                )
            elif not isinstance(value, dict):
                self.problems.append(Problem(name, f"is {value!r}", f"needs a table: [{name}]"))
            else:
                self.tables[name] = value
                keys = known[name]
                self.problems += [
                    Problem(f"{name}.{key}", "is not a key of tinyc.toml", nearest(key, keys))
                    for key in value
                    if keys and key not in keys
                ]

    def get(self, table: str, key: str) -> Any:
        """The value under a key, None where there is none."""
        return self.tables.get(table, {}).get(key)

    def text(self, table: str, key: str) -> str | None:
        """A text that is not empty."""
        value = self.get(table, key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            self.problems.append(Problem(f"{table}.{key}", f"is {value!r}", "needs a text that is not empty"))
            return None
        return value

    def file(self, table: str, key: str, *, required: str = "") -> Path | None:
        """The path under a key; `required` says what a key that has to be there needs."""
        text = self.text(table, key)
        if text is None:
            if required and self.get(table, key) is None:
                self.problems.append(Problem(f"{table}.{key}", "is missing", required))
            return None
        found = self.path.parent / text
        if not found.exists():
            self.problems.append(Problem(f"{table}.{key}", f"names {text!r}, which is not there"))
        return found

    def choice(self, table: str, key: str, allowed: Sequence[str], default: str) -> str:
        """One of the texts in `allowed`."""
        value = self.text(table, key)
        if value is None:
            return default
        if value not in allowed:
            self.problems.append(Problem(f"{table}.{key}", f"is {value!r}", nearest(value, allowed)))
        return value
