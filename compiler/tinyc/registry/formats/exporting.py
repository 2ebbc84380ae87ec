"""What is written for others: a format by its name, of a thing or of everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import IO, Any

from pyoxigraph import NamedNode

from tinyc.errors import TinycError
from tinyc.registry.formats import dumps, ml_bom, model_card, spdx, things
from tinyc.registry.formats.reader import Reader
from tinyc.registry.store.base import Store
from tinyc.registry.vocabulary import TINYC

_Maker = Callable[[Reader, NamedNode, datetime], str]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# Format → what is made of one thing. `now` is the time of writing, for formats that want one.
MAKERS: dict[str, _Maker] = {
    "td": lambda reader, iri, now: _json(things.thing_description(reader, iri)),
    "tm": lambda reader, iri, now: _json(things.thing_model(reader, iri)),
    "mlbom": lambda reader, iri, now: _json(ml_bom.bill_of_materials(reader, iri)),
    "spdx": lambda reader, iri, now: _json(spdx.ai_document(reader, iri, now)),
    "model-card": lambda reader, iri, now: model_card.model_card(reader, iri),
}
# Formats that can hold all things of a class, as a list, and that class.
_LISTS: Mapping[str, tuple[NamedNode, Callable[[Reader, NamedNode], dict[str, Any]]]] = {
    "td": (TINYC.Device, things.thing_description),
    "tm": (TINYC.Board, things.thing_model),
}
NAMES = (*MAKERS, *dumps.FORMATS)
"""The formats that are made out of a store. `suit` is made out of a build folder."""


def export(store: Store, name: str, iri: NamedNode | None, out: IO[bytes], now: datetime) -> None:
    """Write `iri`, or everything where the format can hold it, to `out`.

    Raises TinycError when the format cannot tell of such a thing, and OSError.
    """
    if name in dumps.FORMATS:
        found = dumps.everything(store, graphs=name != "turtle") if iri is None else dumps.one(store, iri)
        dumps.write(found, out, name)
        return
    reader = Reader(store)
    if iri is not None:
        out.write(MAKERS[name](reader, iri, now).encode("utf-8"))
        return
    if name not in _LISTS:
        raise TinycError(
            f"the format `{name}` tells of one thing",
            hint=f"name a model: `tinyc registry export MODEL --format {name}`",
        )
    for part in _list(reader, name):
        out.write(part.encode("utf-8"))


def _list(reader: Reader, name: str) -> Iterator[str]:
    """A JSON list, piece by piece."""
    kind, make = _LISTS[name]
    before = "["
    for iri in reader.of_class(kind):
        # One line each: with indentation Python's own encoder takes ten times as long.
        text = json.dumps(make(reader, iri), ensure_ascii=False)
        yield f"{before}\n{text}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"
