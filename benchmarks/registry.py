"""The registry's embedded store on a synthetic fleet, in the registry's own data model.

    python benchmarks/registry.py --devices 100000 [--json FILE] [--rdflib] [--folder FOLDER] [--queries]

Columns: what is done, the figure, the bar of a million devices, and with `--rdflib` the figure of rdflib's
own store in memory on the same data. Times are medians in milliseconds of the wall clock on this machine,
after one run that is not counted; a load counts from N-Triples files to a store that is closed. An update is
a whole request of SPARQL that returns when it is on the disk. `--queries` times every named query of the
library.

`--json` writes {"devices", "triples", "load_triples_per_s", "device_ms", "lineage_ms", "count_by_version_ms",
"board_flash_sensor_ms", "recall_ms", "update_ms", "deploy_ms", "open_ms", "peak_rss_mb", "load_s",
"load_cpu_s" (processor seconds of all threads), "disk_mb", "queries": {NAME: ms}, "rdflib": {...}}.
`--folder` keeps the store there and uses it again when it has one.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pyoxigraph import RdfFormat

import registry_fleet
from registry_fleet import Fleet
from tinyc.cli import output
from tinyc.errors import TinycError
from tinyc.registry import names, pages
from tinyc.registry.facts import DeploymentFact
from tinyc.registry.queries import named_queries
from tinyc.registry.registry import Registry
from tinyc.registry.store.base import Rows, Store, Truth
from tinyc.registry.store.embedded import EmbeddedStore

BARS = {
    "load_triples_per_s": 80_000.0,
    "device_ms": 5.0,
    "lineage_ms": 5.0,
    "count_by_version_ms": 1000.0,
    "board_flash_sensor_ms": 500.0,
    "recall_ms": 300.0,
    "update_ms": 5.0,
    "peak_rss_mb": 2500.0,
}
QUERY_BAR_MS = 250.0
_NAMED = {
    "lineage_ms": "lineage",
    "count_by_version_ms": "count-by-version",
    "board_flash_sensor_ms": "board-flash-sensor",
    "recall_ms": "count-running-descendants-of",
}
_UPDATES, _REPEATS = 200, 5


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--devices", type=int, default=100_000, help="devices of the fleet")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--folder", type=Path, help="where the store is kept")
    parser.add_argument("--rdflib", action="store_true", help="also rdflib's own store, in memory")
    parser.add_argument("--queries", action="store_true", help="time every named query")
    options = parser.parse_args(arguments)
    parts = registry_fleet.fleet(options.devices)
    with tempfile.TemporaryDirectory(prefix="tinyc-registry-") as scratch:
        folder = options.folder or Path(scratch) / "registry"
        figures = measure(parts, options.devices, folder, Path(scratch), queries=options.queries)
        if options.rdflib:
            paths = registry_fleet.write(parts, options.devices, Path(scratch))
            figures["rdflib"] = measure_rdflib(parts, options.devices, paths)
    show(figures)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def measure(parts: Fleet, devices: int, folder: Path, scratch: Path, *, queries: bool) -> dict[str, Any]:
    """All figures of the embedded store."""
    figures: dict[str, Any] = {"devices": devices}
    place = folder / "store"
    if not (place / "CURRENT").exists():
        figures |= load(parts, devices, place, scratch)
    started = time.perf_counter()
    with EmbeddedStore(place, verb="benchmark") as store:
        figures["open_ms"] = (time.perf_counter() - started) * 1e3
        figures["triples"] = store.count()
        chosen = [devices * part // 21 for part in range(1, 21)]
        iris = [names.device(*registry_fleet.device(parts, number)) for number in chosen]
        pages.device_page(store, iris[0])
        figures["device_ms"] = statistics.median(
            timed(partial(pages.device_page, store, iri)) for iri in iris
        )
        for figure, name in _NAMED.items():
            figures[figure] = ask(store, name, parameters(parts, devices, name))
        if queries:
            figures["queries"] = {
                name: ask(store, name, parameters(parts, devices, name)) for name in sorted(named_queries())
            }
        figures["update_ms"] = update(store, parts, chosen)
        figures["deploy_ms"] = deploy(store, parts, chosen)
    figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["disk_mb"] = sum(path.stat().st_size for path in place.iterdir()) / 1e6
    return figures


def load(parts: Fleet, devices: int, place: Path, scratch: Path) -> dict[str, float]:
    """Load the fleet in pieces; the files of one are removed when it is in."""
    spent, triples = 0.0, 0
    paths = registry_fleet.write(parts, devices, scratch)
    started, busy = time.perf_counter(), time.process_time()
    with EmbeddedStore(place, verb="benchmark") as store:
        for path in paths:
            store.load(path, RdfFormat.N_TRIPLES)
            path.unlink()
        spent += time.perf_counter() - started
        busy = time.process_time() - busy
        triples = store.count()
        started = time.perf_counter()
        store.optimize()
        optimized = time.perf_counter() - started
    return {
        "load_triples_per_s": triples / spent,
        "load_s": spent,
        "load_cpu_s": busy,
        "optimize_s": optimized,
    }


def timed(act: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1e3


def ask(store: Store, name: str, values: dict[str, str]) -> float:
    """Milliseconds of a named query, read to its end."""
    text = named_queries()[name].bind(**values)

    def run() -> None:
        answer = store.query(text)
        if isinstance(answer, Rows):
            for _ in answer.rows:
                pass
        elif not isinstance(answer, Truth):
            for _ in answer.triples:
                pass

    run()
    return statistics.median(timed(run) for _ in range(_REPEATS))


def parameters(parts: Fleet, devices: int, name: str) -> dict[str, str]:
    """Values for what a named query asks, of a fleet's middle."""
    model = parts.models[VERSION_WITH_DESCENDANTS]
    board, chip = registry_fleet.device(parts, devices // 2)
    sensor = next(each.sensors[0] for each in parts.boards if each.sensors)
    known = {
        "model": model.name,
        "version": model.version,
        "board": next(each.name for each in parts.boards if each.sensors),
        "site": parts.sites[len(parts.sites) // 2],
        "device": f"{board}:{chip}",
        "thing": names.device(board, chip).value,
        "firmware": parts.identities[0][2],
        "sensor": sensor,
        "flash": "100000",
        "ram": "10000",
        "accuracy": "0.85",
        "moment": (registry_fleet.START + timedelta(days=30)).isoformat(),
        "before": (registry_fleet.START + timedelta(days=30)).isoformat(),
        "word": "speech",
    }
    wanted = named_queries()[name].parameters
    if name.startswith("seloc"):
        return {each.name: known[each.name] for each in wanted if each.default is None}
    return {
        each.name: known[each.name] for each in wanted if each.name in known and each.type != "decimal"
    } | {each.name: known[each.name] for each in wanted if each.default is None}


VERSION_WITH_DESCENDANTS = 3 * registry_fleet.VERSIONS + 4


def update(store: EmbeddedStore, parts: Fleet, chosen: Sequence[int]) -> float:
    """Milliseconds of one DELETE and INSERT on a device, on the disk when it returns."""
    iris = [names.device(*registry_fleet.device(parts, number)).value for number in chosen]
    states = ("Stable", "Warning", "Drifted")
    number = count()

    def once() -> None:
        at = next(number)
        iri = iris[at % len(iris)]
        store.update(
            f"DELETE {{ <{iri}> <urn:tinyc:ns#drift> ?old }} "
            f"INSERT {{ <{iri}> <urn:tinyc:ns#drift> <urn:tinyc:ns#{states[at % 3]}> }} "
            f"WHERE {{ OPTIONAL {{ <{iri}> <urn:tinyc:ns#drift> ?old }} }}"
        )

    return statistics.median(timed(once) for _ in range(_UPDATES))


def deploy(store: EmbeddedStore, parts: Fleet, chosen: Sequence[int]) -> float:
    """Milliseconds of a deployment as a flash records it: looked at by the shapes, and on the disk."""
    registry = Registry(store)
    number = count()

    def once() -> None:
        at = next(number)
        board, chip = registry_fleet.device(parts, chosen[at % len(chosen)])
        model, _, identity = next(each for each in parts.identities if each[1] == board)
        when = registry_fleet.START + timedelta(days=700, seconds=at)
        registry.apply(DeploymentFact(board, chip, identity, model, when, "smp", True))

    return statistics.median(timed(once) for _ in range(len(chosen)))


def measure_rdflib(parts: Fleet, devices: int, paths: Sequence[Path]) -> dict[str, float]:
    """The same with rdflib's own store and engine; a query that fails there is left out."""
    import rdflib

    graph = rdflib.Graph()
    started = time.perf_counter()
    for path in paths:
        graph.parse(path, format="nt")
    figures = {"load_triples_per_s": len(graph) / (time.perf_counter() - started)}
    iri = names.device(*registry_fleet.device(parts, devices // 2)).value
    page = f"SELECT ?p ?o ?q ?r WHERE {{ <{iri}> ?p ?o . OPTIONAL {{ ?o ?q ?r }} }}"
    figures["device_ms"] = timed(partial(_all, graph, page))
    for figure, name in _NAMED.items():
        text = named_queries()[name].bind(**parameters(parts, devices, name))
        try:
            figures[figure] = timed(partial(_all, graph, text))
        except Exception as error:
            output.talk(f"rdflib does not answer {name}: {type(error).__name__}")
    figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _all(graph: Any, text: str) -> list[Any]:
    return list(graph.query(text))


def show(figures: dict[str, Any]) -> None:
    """The tables on stdout."""
    beside = figures.get("rdflib", {})
    rows = []
    for name in (*BARS, "deploy_ms", "open_ms", "load_s", "load_cpu_s", "optimize_s", "disk_mb"):
        if name not in figures:
            continue
        sign = "≥" if name == "load_triples_per_s" else "<"
        bar = f"{sign} {BARS[name]:,.0f}" if name in BARS else ""
        rows.append((name, _number(figures[name]), bar, _number(beside[name]) if name in beside else ""))
    output.table(
        f"{figures['devices']:,} devices, {figures['triples']:,} triples",
        ("figure", "embedded>", "bar>", "rdflib>"),
        rows,
    )
    if "queries" in figures:
        slow = [
            (name, _number(took))
            for name, took in sorted(figures["queries"].items(), key=lambda each: -each[1])
        ]
        output.table(f"named queries, bar {QUERY_BAR_MS:g} ms", ("query", "ms>"), slow)


def _number(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TinycError as error:
        output.report_error(error)
        sys.exit(error.exit_code)
