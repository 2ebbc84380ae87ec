"""Whether what is predicted of an update is what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyoxigraph import CanonicalizationAlgorithm, Dataset, Quad

from tinyc.registry.delta import Delta, predict
from tinyc.registry.store.base import quads
from tinyc.registry.store.embedded import EmbeddedStore


def same(some: Iterable[Quad], others: Iterable[Quad]) -> bool:
    """Whether two sets of quads differ in the names of blank nodes at most."""
    both = [Dataset(some), Dataset(others)]
    for each in both:
        each.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
    return set(both[0]) == set(both[1])


def difference(
    store: EmbeddedStore, text: str, prefixes: Mapping[str, str] | None = None, *, again: bool = True
) -> str:
    """Predict `text`, run it, and say what went otherwise; empty when nothing did.

    `again`: the text itself, on a copy of the store, does the same as the text that the prediction gives.
    """
    before = set(quads(store))
    other = EmbeddedStore()
    other.insert(before)
    delta = predict(text, store, prefixes)
    if set(quads(store)) != before:
        return "the prediction changed the store"
    store.update(delta.text, prefixes=prefixes)
    after = set(quads(store))
    if not same((before - set(delta.deleted)) | set(delta.inserted), after):
        return f"predicted {_said(delta)}, happened -{len(before - after)} +{len(after - before)}"
    if again:
        other.update(text, prefixes=prefixes)
        if not same(quads(other), after):
            return f"the text that is run does something else: {delta.text}"
    return ""


def _said(delta: Delta) -> str:
    return f"-{len(delta.deleted)} +{len(delta.inserted)}"
