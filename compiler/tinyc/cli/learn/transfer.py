"""`tinyc learn export` and `import`: a learned head as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.learn.deeds import refuse
from tinyc.cli.learn.recording import record_learned
from tinyc.cli.learn.session import opened
from tinyc.cli.options import Json

File = Annotated[Path, typer.Argument(help="The file of the head.", show_default=False)]


def export(context: typer.Context, file: File, json: Json = False) -> None:
    """Write the active head to a file that any device with the same network can import."""
    from tinyc.learning.head_file import save
    from tinyc.learning.transfer import export_head

    with opened(context.obj) as session:
        head = export_head(session.learner, session.hello)
        save(file, head)
        record_learned(session, output.talk, head)
    names = [name for name in head.classes if name]
    if json:
        output.as_json(
            {
                "file": str(file),
                "head": head.head,
                "kind": head.kind,
                "sequence": head.sequence,
                "bytes": len(head.state),
                "classes": list(head.classes),
            }
        )
    else:
        of = f", classes {', '.join(names)}" if names else ""
        output.talk(f"wrote {file}: {head.kind} head {head.sequence} of {head.model}{of}")


def import_(
    context: typer.Context,
    file: File,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Do not ask guard set and held-out samples; the device counts such imports."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Bring a head from a file to the device, which takes it if its guard set and held-out samples allow.

    Exit code 4 when the head is for another network, or the device does not take it.
    """
    from tinyc.learning.head_file import read
    from tinyc.learning.transfer import import_head

    head = read(file)
    with opened(context.obj) as session:
        done = import_head(session.learner, session.hello, head, str(file), force=force)
        refuse(done)
        record_learned(session, output.talk)
    if json:
        output.as_json({"head": head.head, "outcome": done.outcome.name.lower(), "sequence": done.sequence})
    else:
        output.talk(f"imported: head {done.sequence} is active")
