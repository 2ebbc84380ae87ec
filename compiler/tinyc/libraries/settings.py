"""What a library says about itself, the table `[library]` of a `tinyc.toml`, and for whom it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from tinyc.errors import Problem, TinycError, nearest

# What Arduino, PlatformIO, CMSIS-Pack and Zephyr all take as a name: PlatformIO has 50 characters.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")
# Three numbers; a pre-release, which CMSIS-Pack and PlatformIO know too.
_VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z][0-9A-Za-z.-]*)?", re.ASCII)
_LINE = re.compile(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*")
_RULES = {
    "name": (_NAME, "a letter, then at most 49 letters, digits, `-` and `_`"),
    "version": (_VERSION, 'three numbers as in "1.2.3"'),
    "author": (_LINE, "one line that is not empty"),
    "license": (_LINE, "an SPDX identifier, as `Apache-2.0`"),
    "url": (re.compile(r"https?://[^\s\"<>\\]+"), "an http(s) address"),
}


class Format(Enum):
    """The build systems; `ALL` is a folder with a folder for each."""

    ARDUINO = "arduino"
    PLATFORMIO = "platformio"
    CMSIS_PACK = "cmsis-pack"
    ZEPHYR = "zephyr"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class LibrarySettings:
    """Where `name` and `version` are None they are those of the model."""

    name: str | None = None
    version: str | None = None
    author: str = "unknown"
    license: str | None = None
    url: str = ""

    @classmethod
    def from_toml(cls, table: Mapping[str, Any]) -> LibrarySettings:
        """The table; what it leaves out keeps its default.

        Raises TinycError that lists every key that is unknown and every value that is impossible.
        """
        known = tuple(field.name for field in fields(cls))
        problems = []
        for key, value in table.items():
            if key not in known:
                problems.append(Problem(f"library.{key}", "is not a key of tinyc.toml", nearest(key, known)))
            elif not isinstance(value, str) or not _RULES[key][0].fullmatch(value):
                problems.append(Problem(f"library.{key}", f"is {value!r}", f"needs {_RULES[key][1]}"))
        if problems:
            raise TinycError("the library is not possible", where="[library]", problems=problems)
        return cls(**table)
