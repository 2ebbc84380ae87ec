"""The stores behind rdflib's API. rdflib's own engine runs nothing: queries go to Oxigraph or to the
endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyoxigraph
import rdflib
from oxrdflib import OxigraphStore
from rdflib.graph import DATASET_DEFAULT_GRAPH_ID
from rdflib.plugins.stores.sparqlstore import SPARQLUpdateStore

from tinyc.registry.vocabulary import PREFIXES

if TYPE_CHECKING:
    from tinyc.registry.store.embedded import EmbeddedStore
    from tinyc.registry.store.endpoint import Addresses


class _Synced(OxigraphStore):
    """`commit` brings to the disk what was written."""

    def __init__(self, owner: EmbeddedStore, inner: pyoxigraph.Store) -> None:
        super().__init__(store=inner)
        self._owner = owner

    def commit(self) -> None:
        self._owner.sync()

    # rdflib runs a request itself when its store raises NotImplementedError: over millions of triples, never
    # what is wanted. Such requests are refused.

    def query(self, query: Any, *context: Any, **kwargs: Any) -> rdflib.query.Result:
        try:
            return super().query(query, *context, **kwargs)
        except NotImplementedError as error:
            raise ValueError(str(error)) from None

    def update(self, update: Any, initNs: Any, initBindings: Any, queryGraph: Any, **kwargs: Any) -> None:  # noqa: N803
        # A dataset whose default graph is the union for queries says so here too, where there is no union.
        try:
            super().update(update, initNs, initBindings, DATASET_DEFAULT_GRAPH_ID, **kwargs)
        except NotImplementedError as error:
            raise ValueError(str(error)) from None


def embedded_dataset(owner: EmbeddedStore, inner: pyoxigraph.Store) -> rdflib.Dataset:
    # A dataset has a fixed default graph. A plain Graph would get a new name each time, and look empty.
    return _with_prefixes(rdflib.Dataset(store=_Synced(owner, inner), default_union=True))


def _with_prefixes(dataset: rdflib.Dataset) -> rdflib.Dataset:
    for prefix, iri in PREFIXES.items():
        dataset.bind(prefix, iri, replace=True)
    return dataset


def endpoint_dataset(addresses: Addresses) -> rdflib.Dataset:
    store = SPARQLUpdateStore(
        query_endpoint=addresses.query,
        update_endpoint=addresses.update,
        headers=dict(addresses.headers),
        method="POST_FORM",
        returnFormat="json",
    )
    # The identifier of the default graph: any other is a blank node, which no endpoint can be asked for.
    return _with_prefixes(rdflib.Dataset(store=store, default_union=True))
