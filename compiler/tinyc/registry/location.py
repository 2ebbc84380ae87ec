"""Which registry is meant.

The first of these that says one: the option `--registry`, the variable `TINYC_REGISTRY`, `[registry] at` of
the nearest tinyc.toml here or above, a folder `.tinyc/registry` here or above.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode

from tinyc.errors import Problem, TinycError, nearest
from tinyc.files import STATE_FOLDER

VARIABLE = "TINYC_REGISTRY"
OFF = "off"
"""The value of the variable that keeps everything from being written down, in a journal too."""
CONFIG = "tinyc.toml"
TABLE = "registry"
KEYS = ("at", "graph", "site", "heartbeats")
FOLDER = "registry"
DESCRIPTION = "registry.json"
_URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Location:
    """A registry: a folder, or a SPARQL endpoint. `told_by` says for people who named it.

    `graph` is the graph that facts go to, None for the default one; `site` is where this machine's devices
    are; `heartbeats` is the database of heartbeats where it is not in the folder. `may_create`: the folder is
    made by the first write.
    """

    folder: Path | None = None
    url: str = ""
    graph: NamedNode | None = None
    site: str = ""
    heartbeats: str = ""
    told_by: str = ""
    may_create: bool = False

    def __str__(self) -> str:
        return self.url or str(self.folder)


@dataclass(frozen=True, slots=True)
class Table:
    """`[registry]` of a tinyc.toml. `at` is a path relative to the file, or a URL."""

    path: Path
    at: str = ""
    graph: NamedNode | None = None
    site: str = ""
    heartbeats: str = ""


def is_off(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether nothing is to be written down."""
    return environment.get(VARIABLE) == OFF


def find(
    explicit: str | None = None, start: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Location | None:
    """The registry that is meant at `start` (default: the working directory), None when there is none.

    Raises TinycError for a tinyc.toml that cannot be understood.
    """
    start = (start or Path.cwd()).resolve()
    table = _nearest_table(start)
    site = table.site if table else ""
    if explicit:
        return replace(_parse(explicit, Path.cwd(), "--registry"), site=site)
    told = environment.get(VARIABLE, "")
    if told == OFF:
        return None
    if told:
        return replace(_parse(told, Path.cwd(), VARIABLE), site=site)
    if table is not None and table.at:
        location = _parse(table.at, table.path.parent, str(table.path))
        return replace(location, graph=table.graph, site=site, heartbeats=table.heartbeats, may_create=True)
    for folder in _upwards(start):
        candidate = folder / STATE_FOLDER / FOLDER
        if (candidate / DESCRIPTION).is_file():
            return Location(folder=candidate, site=site, told_by=str(candidate))
    return None


def require(
    explicit: str | None = None, start: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Location:
    """The registry that is meant. Raises TinycError when there is none."""
    location = find(explicit, start, environment)
    if location is None:
        off = is_off(environment)
        raise TinycError(
            f"the registry is off: {VARIABLE}={OFF}" if off else "no registry is named, and none is here",
            hint="name one with --registry"
            if off
            else "`tinyc registry init` makes one here; or name one with --registry, TINYC_REGISTRY or "
            "`[registry] at` of tinyc.toml",
        )
    return location


def site_here(start: Path | None = None) -> str:
    """`[registry] site` of the nearest tinyc.toml that has the table, here or above; empty for none."""
    table = _nearest_table((start or Path.cwd()).resolve())
    return table.site if table else ""


def _nearest_table(start: Path) -> Table | None:
    return next((found for found in map(table_of, _upwards(start)) if found is not None), None)


def table_of(folder: Path) -> Table | None:
    """`[registry]` of the tinyc.toml in a folder, None where there is none. Raises TinycError."""
    path = folder / CONFIG
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (OSError, ValueError) as error:
        raise TinycError(f"cannot be read: {error}", where=str(path)) from error
    if TABLE not in content:
        return None
    problems: list[Problem] = []
    table = parse_table(path, content[TABLE], problems)
    if problems:
        raise TinycError("the configuration is not valid", where=str(path), problems=problems)
    return table


def parse_table(path: Path, value: Any, problems: list[Problem]) -> Table:
    """`[registry]` as it stands in the file; what is wrong with it is added to `problems`."""
    if not isinstance(value, dict):
        problems.append(Problem(TABLE, f"is {value!r}", f"needs a table: [{TABLE}]"))
        return Table(path)
    texts = {}
    for key, told in value.items():
        if key not in KEYS:
            problems.append(Problem(f"{TABLE}.{key}", "is not a key of tinyc.toml", nearest(key, KEYS)))
        elif not isinstance(told, str) or not told.strip():
            problems.append(Problem(f"{TABLE}.{key}", f"is {told!r}", "needs a text that is not empty"))
        else:
            texts[key] = told
    graph = None
    if "graph" in texts:
        try:
            graph = NamedNode(texts["graph"])
        except ValueError:
            problems.append(Problem(f"{TABLE}.graph", f"is {texts['graph']!r}", "needs an IRI"))
    return Table(path, texts.get("at", ""), graph, texts.get("site", ""), texts.get("heartbeats", ""))


def _parse(text: str, base: Path, told_by: str) -> Location:
    if _URL.match(text):
        return Location(url=text, told_by=told_by)
    return Location(folder=base / Path(text).expanduser(), told_by=told_by)


def _upwards(start: Path) -> Iterator[Path]:
    yield start
    yield from start.parents
