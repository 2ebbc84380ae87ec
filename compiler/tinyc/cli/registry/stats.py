"""`tinyc registry stats`: how much the registry knows."""

from __future__ import annotations

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened


def command(registry: RegistryAt = None, json: Json = False) -> None:
    """Count what the registry has: things by kind, devices by model version and board."""
    from tinyc.registry.statistics import statistics

    with opened(registry) as store:
        told = statistics(store.store)
        where = str(store.location)
    if json:
        output.as_json({"registry": where, **told.to_json()})
        return
    output.table("", ("what", "count>"), ((name, f"{count:,}") for name, count in told.things.items()), where)
    if told.versions:
        rows = ((model, version, f"{count:,}") for model, version, count in told.versions)
        output.table("", ("model", "version", "devices>"), rows)
    if told.boards:
        output.table("", ("board", "devices>"), ((board, f"{count:,}") for board, count in told.boards))
