"""The W3C's SPARQL 1.1 tests, run against any store of the registry.

    python -m support.w3c_sparql [--write]

`--write` puts the counts and every failure into docs/reference/sparql-conformance.md. The tests are those of
w3c/rdf-tests, `sparql11`; a folder or archive with them is looked for beside the checkout. What runs them is
a `Store`: the embedded one, or an `EndpointStore` before any server, so a server is tested through its HTTP.

Results are compared as RDF values: blank nodes by isomorphism, numbers and times by value, rows as a bag.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyoxigraph
from pyoxigraph import (
    DefaultGraph,
    NamedNode,
    Quad,
    RdfFormat,
)

from support import w3c_causes, w3c_compare
from support.paths import ROOT
from support.w3c_compare import BASE, TYPE
from tinyc.errors import TinycError
from tinyc.registry import results
from tinyc.registry.store import syntax
from tinyc.registry.store.base import STANDARD, Limits, Rows, Scope, Store, Triples, Truth
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.store.errors import SparqlSyntaxError

ARCHIVE = ROOT.parent / "shared" / "data" / "w3c-sparql11.tar.gz"
PAGE = ROOT / "docs" / "reference" / "sparql-conformance.md"
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
QT = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
UT = "http://www.w3.org/2009/sparql/tests/test-update#"
LABEL = NamedNode("http://www.w3.org/2000/01/rdf-schema#label")
KINDS = {
    "QueryEvaluationTest": "query",
    "CSVResultFormatTest": "query",
    "UpdateEvaluationTest": "update",
    "PositiveSyntaxTest11": "syntax",
    "NegativeSyntaxTest11": "syntax",
    "PositiveUpdateSyntaxTest11": "syntax",
    "NegativeUpdateSyntaxTest11": "syntax",
}
LEFT_OUT = {
    "entailment": "needs reasoning under an entailment regime, which no back end offers",
    "service": "needs other endpoints at fixed addresses of example.org",
    "syntax-fed": "would open the addresses that it names",
}
"""Groups that are not run, and why. Those of the protocol are tested where the server is."""
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `action` and `result` are nodes of its manifest."""

    group: str
    name: str
    type: str
    manifest: pyoxigraph.Store
    node: Any

    @property
    def id(self) -> str:
        return f"{self.group}/{self.name}"

    @property
    def kind(self) -> str:
        return KINDS[self.type]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` is empty for a test that passed."""

    case: Case
    reason: str = ""


@contextmanager
def unpacked() -> Iterator[Path]:
    """The folder of the tests."""
    with tempfile.TemporaryDirectory(prefix="w3c-sparql-") as folder, tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
        yield Path(folder) / "w3c-sparql11"


def cases(folder: Path, *, groups: set[str] | None = None) -> list[Case]:
    """All tests that can be run, by group and name."""
    found = []
    for path in sorted(folder.glob("*/manifest.ttl")):
        group = path.parent.name
        if group in LEFT_OUT or (groups is not None and group not in groups):
            continue
        manifest = pyoxigraph.Store()
        manifest.load(path=str(path), format=RdfFormat.TURTLE, base_iri=f"{BASE}{group}/manifest.ttl")
        for type_ in KINDS:
            for quad in manifest.quads_for_pattern(None, TYPE, NamedNode(MF + type_), None):
                name = str(quad.subject).strip("<>").rpartition("#")[2].rpartition("/")[2]
                found.append(Case(group, name, type_, manifest, quad.subject))
    return sorted(found, key=lambda case: (case.group, case.name))


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs tests against `store`. `default`: the graph that stands for the default graph, on Virtuoso."""

    folder: Path
    store: Store
    default: NamedNode | None = None

    def run(self, case: Case) -> Outcome:
        try:
            if case.kind == "syntax":
                return Outcome(case, self._syntax(case))
            self._clear()
            reason = self._query(case) if case.kind == "query" else self._update(case)
        except TinycError as error:
            reason = _one_line(f"{type(error).__name__}: {error.what}")
        return Outcome(case, reason)

    def _query(self, case: Case) -> str:
        action = _one(case, case.node, MF + "action")
        graphs = _all(case, action, QT + "graphData")
        for data in _all(case, action, QT + "data"):
            self._load(data, None)
        for graph in graphs:
            # A graph without triples is there, too.
            self.store.update(f"CREATE SILENT GRAPH {graph}")
            self._load(graph, graph)
        path = self._path(_one(case, action, QT + "query"))
        result = self._path(_one(case, case.node, MF + "result"))
        text = _based(case, path)
        scope = STANDARD if self.default is None else Scope(default=(self.default,), named=tuple(graphs))
        answer = self.store.query(text, scope=scope, limits=Limits(seconds=self._seconds))
        if result.suffix == ".csv":
            same = w3c_compare.records(results.encode(answer, "csv").decode()) == w3c_compare.records(
                result.read_text(encoding="utf-8")
            )
            return "" if same else "the CSV differs"
        expected = w3c_compare.expected(result)
        if isinstance(answer, Truth):
            return "" if expected is answer.value else f"answers {answer.value}"
        if isinstance(answer, Triples):
            got: list[Quad] = [Quad(each.subject, each.predicate, each.object) for each in answer.triples]
            return w3c_compare.difference(got, expected if isinstance(expected, list) else [])
        assert isinstance(answer, Rows) and isinstance(expected, tuple)
        variables, rows = expected
        if set(answer.variables) != set(variables):
            return f"has the variables {' '.join(answer.variables)}, not {' '.join(variables)}"
        return w3c_compare.difference(
            list(w3c_compare.as_quads(answer.variables, list(answer.rows))),
            list(w3c_compare.as_quads(variables, rows)),
            "rows",
        )

    def prepared(self, case: Case) -> str:
        """Put the data of an update's test into the store, and give the update."""
        action = _one(case, case.node, MF + "action")
        self._prepare(case, action)
        return _based(case, self._path(_one(case, action, UT + "request")))

    def _update(self, case: Case) -> str:
        self.store.update(self.prepared(case))
        expected: list[Quad] = []
        result = _one(case, case.node, MF + "result")
        for data in _all(case, result, UT + "data"):
            expected += self._quads(data, None)
        for graph in _all(case, result, UT + "graphData"):
            name = NamedNode(_one(case, graph, LABEL.value).value)
            expected += self._quads(_one(case, graph, UT + "graph"), name)
        return w3c_compare.difference(list(self._everything()), expected)

    def _syntax(self, case: Case) -> str:
        path = self._path(_one(case, case.node, MF + "action"))
        text = _based(case, path)
        positive = case.type.startswith("Positive")
        if syntax.reaches_out(text) and positive and isinstance(self.store, EndpointStore):
            return ""
        try:
            if "Update" in case.type:
                self.store.update(text)
            else:
                answer = self.store.query(text, scope=STANDARD, limits=Limits(seconds=self._seconds))
                if isinstance(answer, Rows):
                    list(answer.rows)
        except SparqlSyntaxError as error:
            return _one_line(f"is refused: {error.what}") if positive else ""
        except TinycError as error:
            # The store understood the text, and could not do it; a server may refuse in words of its own.
            understood = "answers 5" in error.what and "compiler" not in error.what
            if not isinstance(self.store, EndpointStore) or understood:
                return "" if positive else _one_line(f"is not refused as syntax: {error.what}")
            return _one_line(f"is refused: {error.what}") if positive else ""
        finally:
            self._clear()
        return "" if positive else "is accepted"

    @property
    def _seconds(self) -> float | None:
        # In this process nothing stops a query, and a worker for each change of the data is slow.
        return SECONDS if isinstance(self.store, EndpointStore) else None

    def _prepare(self, case: Case, action: Any) -> None:
        for data in _all(case, action, UT + "data"):
            self._load(data, None)
        for graph in _all(case, action, UT + "graphData"):
            self._load(_one(case, graph, UT + "graph"), NamedNode(_one(case, graph, LABEL.value).value))

    def _load(self, file: NamedNode, graph: NamedNode | None) -> None:
        quads = self._quads(file, graph)
        if quads:
            self.store.insert(
                Quad(quad.subject, quad.predicate, quad.object, self.default)
                if self.default is not None and isinstance(quad.graph_name, DefaultGraph)
                else quad
                for quad in quads
            )

    def _quads(self, file: NamedNode, graph: NamedNode | None) -> list[Quad]:
        return [
            Quad(triple.subject, triple.predicate, triple.object, graph or DefaultGraph())
            for triple in w3c_compare.parsed(self._path(file), file.value)
        ]

    def _path(self, file: NamedNode) -> Path:
        return self.folder / file.value.removeprefix(BASE)

    def _clear(self) -> None:
        if self.default is None:
            self.store.update("DROP ALL")
            return
        # Of Virtuoso's graphs only those that the tests made: the others are its own.
        for graph in self._graphs():
            self.store.update(f"DROP SILENT GRAPH {graph}")

    def _graphs(self) -> list[NamedNode]:
        answer = self.store.query("SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } }")
        assert isinstance(answer, Rows)
        own = ("http://www.openlinksw.com/", "http://localuriqaserver/", "http://www.w3.org/ns/ldp#")
        return [
            row[0]
            for row in answer.rows
            if isinstance(row[0], NamedNode) and not row[0].value.startswith(own)
        ]

    def _everything(self) -> Iterator[Quad]:
        if self.default is None:
            from tinyc.registry.store.base import quads

            yield from quads(self.store)
            return
        for graph in self._graphs():
            answer = self.store.query(f"SELECT ?s ?p ?o WHERE {{ GRAPH {graph} {{ ?s ?p ?o }} }}")
            assert isinstance(answer, Rows)
            for row in answer.rows:
                yield Quad(*row, DefaultGraph() if graph == self.default else graph)  # type: ignore[arg-type,misc]


def _based(case: Case, path: Path) -> str:
    """The text of a request, with the address of its file as its base unless it has one. Virtuoso takes
    one."""
    text = path.read_text(encoding="utf-8")
    return text if "BASE" in syntax.words(text) else f"BASE <{BASE}{case.group}/{path.name}> {text}"


def _all(case: Case, subject: Any, predicate: str) -> list[Any]:
    return [
        quad.object for quad in case.manifest.quads_for_pattern(subject, NamedNode(predicate), None, None)
    ]


def _one(case: Case, subject: Any, predicate: str) -> Any:
    (found,) = _all(case, subject, predicate)
    return found


def _one_line(text: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= 160 else short[:159] + "…"


def run_all(runner: Runner, chosen: list[Case]) -> list[Outcome]:
    return [runner.run(case) for case in chosen]


def summary(outcomes: list[Outcome]) -> dict[str, tuple[int, int]]:
    """Passed and failed of each kind."""
    found = {}
    for kind in ("query", "update", "syntax"):
        mine = [each for each in outcomes if each.case.kind == kind]
        passed = sum(not each.reason for each in mine)
        found[kind] = (passed, len(mine) - passed)
    return found


def page(by_backend: dict[str, list[Outcome]], left_out: Counter[str]) -> str:
    """The table of the documentation."""
    lines = [
        "# Conformance with SPARQL 1.1",
        "",
        "The W3C's tests (w3c/rdf-tests, `sparql11`) against each back end of the registry. Generated by",
        "`python -m support.w3c_sparql --write` with `tests` and `compiler` on the path. Numbers are",
        "passed / failed.",
        "",
        "| back end | query evaluation | update evaluation | syntax |",
        "|---|---|---|---|",
    ]
    for name, outcomes in by_backend.items():
        counts = summary(outcomes)
        cells = " | ".join(f"{passed} / {failed}" for passed, failed in counts.values())
        lines.append(f"| {name} | {cells} |")
    lines += ["", "Not run:", ""]
    lines += [f"- {group} ({count} tests): {LEFT_OUT[group]}." for group, count in sorted(left_out.items())]
    for name, outcomes in by_backend.items():
        failed = [each for each in outcomes if each.reason]
        lines += ["", f"## {name}", ""]
        if not failed:
            lines.append("Every test passes.")
            continue
        lines += ["| test | what happens |", "|---|---|"]
        causes = {} if "Virtuoso" in name else w3c_causes.OXIGRAPH
        lines += [
            f"| {each.case.id} | {_cell(each.reason)}{_because(causes, each.case.id)} |" for each in failed
        ]
    return "\n".join(lines) + "\n"


def _because(causes: dict[str, str], test: str) -> str:
    return f": {causes[test]}" if test in causes else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def left_out(folder: Path) -> Counter[str]:
    """How many tests the groups have that are not run."""
    found: Counter[str] = Counter()
    for group in LEFT_OUT:
        text = (folder / group / "manifest.ttl").read_text(encoding="utf-8")
        found[group] = len(re.findall(rf"mf:(?:{'|'.join(KINDS)})\b", text))
    return found


def backends(folder: Path) -> Iterator[tuple[str, Callable[[list[Case]], list[Outcome]]]]:
    """Each back end that is here, and what runs tests against it."""
    from support import sparql_servers
    from support.registry_http import before

    def served(chosen: list[Case]) -> list[Outcome]:
        with before(EmbeddedStore(), checked=False) as store:
            return run_all(Runner(folder, store), chosen)

    def served_oxigraph(chosen: list[Case]) -> list[Outcome]:
        with (
            tempfile.TemporaryDirectory() as place,
            sparql_servers.oxigraph(Path(place)) as addresses,
            before(EndpointStore(addresses), checked=False) as store,
        ):
            return run_all(Runner(folder, store), chosen)

    def served_virtuoso(chosen: list[Case]) -> list[Outcome]:
        default = NamedNode("urn:tinyc:graph:default")
        with (
            tempfile.TemporaryDirectory() as place,
            sparql_servers.virtuoso(Path(place)) as addresses,
            before(EndpointStore(addresses, graph=default), default, checked=False) as store,
        ):
            return run_all(Runner(folder, store, default), chosen)

    def embedded(chosen: list[Case]) -> list[Outcome]:
        return run_all(Runner(folder, EmbeddedStore()), chosen)

    def oxigraph(chosen: list[Case]) -> list[Outcome]:
        with tempfile.TemporaryDirectory() as place, sparql_servers.oxigraph(Path(place)) as addresses:
            return run_all(Runner(folder, EndpointStore(addresses)), chosen)

    def virtuoso(chosen: list[Case]) -> list[Outcome]:
        default = NamedNode("urn:tinyc:graph:default")
        with tempfile.TemporaryDirectory() as place, sparql_servers.virtuoso(Path(place)) as addresses:
            return run_all(Runner(folder, EndpointStore(addresses, graph=default), default), chosen)

    yield "embedded store", embedded
    if sparql_servers.oxigraph_program():
        yield "Oxigraph server over HTTP", oxigraph
    if sparql_servers.virtuoso_programs():
        yield "Virtuoso 7 over HTTP", virtuoso
    yield "`tinyc registry serve`, embedded store", served
    if sparql_servers.oxigraph_program():
        yield "`tinyc registry serve` before Oxigraph's server", served_oxigraph
    if sparql_servers.virtuoso_programs():
        yield "`tinyc registry serve` before Virtuoso 7", served_virtuoso


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the page of the documentation")
    options = parser.parse_args()
    with unpacked() as folder:
        chosen = cases(folder)
        found = {}
        for name, run in backends(folder):
            found[name] = run(chosen)
            print(name, summary(found[name]), file=sys.stderr)
        text = page(found, left_out(folder))
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
