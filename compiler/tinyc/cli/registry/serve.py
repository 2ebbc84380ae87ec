"""`tinyc registry serve`: the registry as a page and as a SPARQL endpoint."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.registry.options import RegistryAt

DEFAULT_PORT = 8080


def command(
    registry: RegistryAt = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen at. Others than this machine's own open it to others."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = DEFAULT_PORT,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.0, help="Seconds that a query may take; 0 sets no limit.")
    ] = 30.0,
    max_rows: Annotated[
        int, typer.Option("--max-rows", min=0, help="Rows that an answer may have; 0 sets no limit.")
    ] = 100_000,
    write_token_file: Annotated[
        Path | None,
        typer.Option(
            "--write-token-file",
            help="Let those write who send the token in this file, which is made if there is none. "
            "Without it nobody can.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            help="Another name by which this server is called; may be repeated.",
            show_default=False,
        ),
    ] = None,
    unchecked_updates: Annotated[
        bool,
        typer.Option(
            "--unchecked-updates",
            help="Run updates that others send without checking first that the shapes hold afterwards.",
        ),
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the page, its JSON and a SPARQL endpoint until Ctrl-C."""
    from tinyc.registry import queries
    from tinyc.registry.location import require
    from tinyc.registry.registry import Registry
    from tinyc.registry.web import serve
    from tinyc.registry.web.settings import Service, Settings, names_of
    from tinyc.registry.web.token import token_of

    location = require(registry)
    token, made = token_of(write_token_file) if write_token_file else (None, False)
    if made:
        output.talk(f"wrote a new token to {write_token_file}")
    hosts, numbers = names_of(host, tuple(allow_host or ()))
    settings = Settings(
        hosts=hosts,
        numbers=numbers,
        seconds=timeout or None,
        rows=max_rows or None,
        token=token,
        checked=not unchecked_updates,
    )
    with serve.listen(host, port) as listening:
        url = serve.url_of(listening)
        writable = token is not None
        with Registry.open(
            location, writable=writable, verb="tinyc registry serve", url=f"{url}sparql"
        ) as opened:
            service = Service(
                opened.store,
                getattr(opened, "heartbeats", None),
                queries.named_queries(),
                str(location),
                settings,
            )
            _serve(service, listening, lambda: _tell(url, writable, open_page))


def _serve(service: object, listening: object, ready: object) -> None:
    from tinyc.registry.web import serve

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # The server ends by itself on either signal and raises it again: then the store is closed.
    before = signal.signal(signal.SIGTERM, end)
    try:
        serve.run(service, listening, ready)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        output.talk("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(url: str, writable: bool, open_page: bool) -> None:
    output.data(url)
    output.talk(
        f"serving {'reads, and writes with the token' if writable else 'reads only'}; SPARQL at {url}sparql; "
        "Ctrl-C stops it"
    )
    if open_page:
        import webbrowser

        webbrowser.open(url)
