"""Taking files and directories into a registry: all of it is read and checked before anything is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, RdfFormat

from tinyc.errors import TinycError
from tinyc.registry.formats import directory, thing_files
from tinyc.registry.formats.descriptions import DEFAULT_GRAPH, Descriptions
from tinyc.registry.formats.rdf_files import SUFFIXES, format_of, quads_of
from tinyc.registry.formats.staging import Staging
from tinyc.registry.formats.thing_files import Things
from tinyc.registry.store.base import Store
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import NNET, S3N, TINYC

_JSON = ".json"
_MOST_FILES = 100_000
# Quads at the start of a file that tell what is in it.
_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote: quads as they were, and what was made of descriptions. `notes` are for people."""

    quads: int
    boards: int
    models: int
    devices: int
    notes: tuple[str, ...]


def import_all(
    store: Store,
    sources: Sequence[str],
    *,
    now: datetime,
    graph: NamedNode | None = None,
    facts: NamedNode | None = None,
    replace: bool = False,
) -> Imported:
    """Import files, folders and addresses of directories.

    `graph` takes the triples that a file puts in no graph. `facts` is the graph of the registry's own facts.
    Published descriptions of boards and models stay in `graph`, or in one of their own, and are taken over as
    facts too. With `replace` the files win over the registry where there can be one value only.
    Raises TinycError, and then nothing was written, unless the registry itself fails half way.
    """
    files, urls = _split(sources)
    rdf = [path for path in files if path.suffix.lower() != _JSON and not _has_things(path)]
    things_files = [path for path in files if path not in set(rdf)]
    for path in rdf:
        format_of(path)
    with Staging(store, sum(path.stat().st_size for path in rdf)) as staging:
        for path in rdf:
            where = graph or (DEFAULT_GRAPH if _published(path) else facts)
            staging.add(quads_of(path, where, skolem=not isinstance(store, EmbeddedStore)))
        described = Descriptions(staging)
        described.plan()
        things = Things(staging, now)
        things.plan(_things(things_files, urls))
        things.refuse()
        staging.check(replace=replace)
        quads = staging.commit(facts)
    return Imported(
        quads,
        described.boards + things.boards,
        described.models,
        things.devices,
        (*described.notes, *things.notes),
    )


def _split(sources: Sequence[str]) -> tuple[list[Path], list[str]]:
    """(files, addresses); a folder stands for the files in it that can be read. Raises TinycError."""
    files: list[Path] = []
    urls: list[str] = []
    for source in sources:
        path = Path(source)
        if "://" in source:
            urls.append(source)
        elif path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in (*SUFFIXES, _JSON))
            if not inside:
                raise TinycError(
                    "the folder has no file to import", where=source, allowed=", ".join((*SUFFIXES, _JSON))
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise TinycError("there is no such file or folder", where=source)
    if len(files) > _MOST_FILES:
        raise TinycError(f"there are {len(files):,} files", allowed=f"at most {_MOST_FILES:,} at once")
    return files, urls


def _published(path: Path) -> bool:
    """Whether a file begins with descriptions in the TinyML schema and not in the registry's own terms."""
    for quad in itertools.islice(quads_of(path), _LOOKED_AT):
        if isinstance(quad.object, NamedNode):
            if quad.object in (S3N.SmartSensor, NNET.NeuralNetwork):
                return True
            if quad.object.value.startswith(TINYC.iri):
                return False
    return False


def _has_things(path: Path) -> bool:
    """Whether a JSON-LD file holds Thing Descriptions, which are read without expanding their context."""
    if SUFFIXES.get(path.suffix.lower()) != RdfFormat.JSON_LD or path.stat().st_size > thing_files.MOST_BYTES:
        return False
    value = thing_files.read_json(path)
    first = value[0] if isinstance(value, list) and value else value
    return thing_files.is_thing(first) or (isinstance(first, dict) and "members" in first)


def _things(files: list[Path], urls: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in files:
        where = str(path)
        found = thing_files.things_in(thing_files.read_json(path), where)
        for index, thing in enumerate(found):
            yield (where if len(found) == 1 else f"{where}, item {index + 1}"), thing
    for url in urls:
        yield from directory.listing(url)
