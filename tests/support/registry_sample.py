"""The sample fleet of `tests/data` in a store."""

from __future__ import annotations

from pyoxigraph import NamedNode, Quad, parse

from support.paths import ROOT
from tinyc.registry import names
from tinyc.registry.store.embedded import EmbeddedStore

SAMPLE = ROOT / "tests" / "data" / "registry_sample.ttl"
DEVICE = names.device("nrf52840", "1122334455667788")
UNKNOWN = names.device("microbit", "99aa")
BOARD = names.board("microbit")
MODEL = names.model("keyword_spotting", "1.0.0", "a" * 64)
TUNED = names.model("keyword_spotting", "1.1.0", "b" * 64)
FIRMWARE = names.firmware("c" * 64)


def sample_store(*more: Quad) -> EmbeddedStore:
    """A store in memory with the sample, and `more`."""
    store = EmbeddedStore()
    store.insert([*parse(path=str(SAMPLE)), *more])
    return store


def quads_in(store: EmbeddedStore) -> set[Quad]:
    """Everything in a store, whatever graph it is in."""
    from tinyc.registry.formats.dumps import everything

    return set(everything(store, graphs=True))


def literals(store: EmbeddedStore, iri: NamedNode, predicate: NamedNode) -> list[str]:
    """The values of a property as text, sorted."""
    return sorted(row[0].value for row in store.query(f"SELECT ?v {{ {iri} {predicate} ?v }}").rows)
