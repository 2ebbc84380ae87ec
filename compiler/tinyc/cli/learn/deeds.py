"""`tinyc learn promote`, `revert`, `discard` and `reset`: which head is active."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from tinyc.cli import output
from tinyc.cli.learn.recording import record_learned
from tinyc.cli.learn.session import Session, opened
from tinyc.cli.options import Json

if TYPE_CHECKING:
    from tinyc.device.learned import Done


def promote(context: typer.Context, json: Json = False) -> None:
    """Make what was learned active, if the guard set and the held-out samples say so."""
    _deed(context, json, lambda session, at: session.learner.promote(at))


def revert(context: typer.Context, json: Json = False) -> None:
    """Make the head before the active one active again."""
    _deed(context, json, lambda session, at: session.learner.revert(at))


def discard(context: typer.Context, json: Json = False) -> None:
    """Forget what was learned since the last promotion."""
    _deed(context, json, lambda session, at: session.learner.discard(at))


def reset(context: typer.Context, json: Json = False) -> None:
    """Forget all that was learned: the head that the firmware came with is active again."""
    _deed(context, json, lambda session, at: session.learner.factory(at))


def _deed(context: typer.Context, json: bool, do: Callable[[Session, int], Done]) -> None:
    from tinyc.device.learned import Outcome

    with opened(context.obj) as session:
        done = do(session, session.learned.kept.sequence)
        # Where the flash failed, or somebody asked for what cannot be, it is no success.
        refuse(done)
        if done.outcome in (Outcome.PROMOTED, Outcome.REVERTED):
            record_learned(session, output.talk)
    if json:
        output.as_json({"outcome": done.outcome.name.lower(), "sequence": done.sequence})
    else:
        output.talk(done.outcome.words)
        output.talk(f"head {done.sequence} is active" if done.sequence else "the factory's head is active")


def refuse(done: Done) -> None:
    """Raise Disagreement for a deed that the device has refused."""
    from tinyc.errors import Disagreement

    if done.outcome.refused:
        raise Disagreement(f"the device says no: {done.outcome.words}")
