"""`tinyc federate run`: a run, from its start or from where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.federate.options import RunConfig, StateFile, state_of
from tinyc.cli.options import Json

if TYPE_CHECKING:
    from tinyc.learning.federation.state import RoundRecord


def command(
    config: RunConfig,
    state: StateFile = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the state has and start anew.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run a schedule that is known not to work.")] = False,
    json: Json = False,
) -> None:
    """Run the rounds that are left; stopped or killed, the same command goes on from the last checkpoint."""
    from tinyc.cli.federate.status import show
    from tinyc.learning.federation.fleet import make_clients
    from tinyc.learning.federation.rounds import Run, check_schedule
    from tinyc.learning.federation.settings import load_config
    from tinyc.learning.federation.state import RunState

    settings = load_config(config)
    check_schedule(settings, force)
    path = state or state_of(config)
    if fresh:
        _forget(path)
    clients = make_clients(settings.clients, settings.shape, settings.family, config.parent)
    try:
        with RunState(path, create=True) as store, output.stages(settings.strategy.name) as report:

            def on_round(record: RoundRecord) -> None:
                done = record.number + 1
                report(f"{done:,}/{settings.rounds:,}{_score(record)}", done / settings.rounds)

            run = Run(settings, clients, store, force=force, on_round=on_round)
            if run.progress.done:
                output.talk(f"going on behind round {run.progress.done:,} of {settings.rounds:,}")
            run.advance()
        show(path, json)
    finally:
        for client in clients:
            client.close()


def _forget(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _score(record: RoundRecord) -> str:
    return "" if record.score is None else f", score {record.score:.4g}"
