"""`tinyc federate status`: where a run is and what its devices did."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tinyc.cli import output
from tinyc.cli.federate.options import RunFile, state_of
from tinyc.cli.options import Json


def command(run: RunFile, json: Json = False) -> None:
    """Show how far a run is, its last scores, and devices that failed. A run at work can be looked at."""
    show(state_of(run), json)


def show(path: Path, json: bool) -> None:
    """The state of a run as tables or JSON. Raises TinycError if there is none yet."""
    from tinyc.errors import TinycError
    from tinyc.learning.federation.state import RunState, totals

    with RunState(path) as state:
        progress, records, tallies = state.progress(), state.records(), state.tallies()
    if progress is None:
        raise TinycError("the run has no checkpoint yet", where=str(path))
    summed = totals(records)
    scores = [record for record in records if record.score is not None]
    metric = "mse" if progress.shape.loss == "mse" else "accuracy"
    if json:
        output.as_json(
            {
                "run": str(path),
                "strategy": progress.strategy,
                "network": asdict(progress.shape),
                "rounds": progress.rounds,
                "done": progress.done,
                "totals": summed,
                "scores": [
                    {"round": r.number + 1, metric: r.score, "standard_error": r.score_error} for r in scores
                ],
                "clients": {name: asdict(tally) for name, tally in tallies.items()},
            }
        )
        return
    title = f"{progress.strategy}: {progress.done:,} of {progress.rounds:,} rounds"
    output.table(title, ("what", "count>"), ((name, f"{count:,}") for name, count in summed.items()))
    if scores:
        rows = [(f"{r.number + 1:,}", f"{r.score:.4f}", f"± {r.score_error:.4f}") for r in scores[-10:]]
        output.table("", ("round>", f"{metric}>", "standard error>"), rows)
    wrong = [
        (name, t.asked, t.used, t.dropped, t.late, t.refused, t.clipped, t.last_problem)
        for name, t in tallies.items()
        if t.dropped or t.late or t.refused or t.clipped
    ]
    if wrong:
        columns = ("device", "asked>", "used>", "dropped>", "late>", "refused>", "clipped>", "last problem")
        output.table("", columns, wrong)
