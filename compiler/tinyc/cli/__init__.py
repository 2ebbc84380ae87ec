"""The command line: `tinyc VERB`. One module per verb; `main` turns errors into exit codes."""

from __future__ import annotations

import os
import sys
import traceback

from tinyc.errors import EXIT_BUG, TinycError

EXIT_INTERRUPTED = 130

# Layers of this size run slower on several threads than on one. Set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point of the `tinyc` script. Exit codes: see `tinyc.errors`."""
    from tinyc.cli import output
    from tinyc.cli.app import app

    try:
        app(prog_name="tinyc")
    except TinycError as error:
        output.report_error(error)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        # Typer turns Ctrl-C into this code by itself, and says nothing.
        if stop.code == EXIT_INTERRUPTED:
            output.talk("interrupted")
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        output.talk("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except Exception:
        traceback.print_exc()
        output.talk("this is a bug in tinyc: please report it with the lines above")
        sys.exit(EXIT_BUG)
