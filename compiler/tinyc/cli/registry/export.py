"""`tinyc registry export`: what the registry knows, in the formats of others."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import TinycError


class Format(StrEnum):
    TD = "td"
    TM = "tm"
    MLBOM = "mlbom"
    SPDX = "spdx"
    MODEL_CARD = "model-card"
    SUIT = "suit"
    TURTLE = "turtle"
    NQUADS = "nquads"
    TRIG = "trig"
    JSONLD = "jsonld"


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A board, MODEL, MODEL@VERSION, chip number, beginning of a firmware's identity, or IRI; "
            "for suit a build folder or a signed image. Default: everything, for td and tm as a list.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="td and tm: Thing Descriptions and Thing Models; mlbom: CycloneDX; spdx: SPDX AI profile; "
            "model-card: for Hugging Face; suit: manifest of an update; the others are RDF.",
        ),
    ] = Format.TRIG,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write. Default: stdout.", show_default=False)
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", help="suit: key that signs. Default: `[signing] key` of tinyc.toml.", show_default=False
        ),
    ] = None,
    vendor: Annotated[
        str | None,
        typer.Option(
            "--vendor", help="suit: domain of the maker of the devices. Default: tinyc.", show_default=False
        ),
    ] = None,
    uri: Annotated[
        str | None,
        typer.Option(
            "--uri", help="suit: where devices fetch the image. Default: its file name.", show_default=False
        ),
    ] = None,
    registry: RegistryAt = None,
) -> None:
    """Write what the registry knows in a format of others. A file is complete or not there."""
    if format is Format.SUIT:
        _write(out, _manifest(what, key, vendor, uri))
        return
    only_suit = {"--key": key, "--vendor": vendor, "--uri": uri}
    if any(value is not None for value in only_suit.values()):
        named = ", ".join(name for name, value in only_suit.items() if value is not None)
        raise TinycError(f"{named} is for `--format suit`")
    from datetime import UTC, datetime

    from tinyc.registry.formats.exporting import export
    from tinyc.registry.formats.reader import find

    with opened(registry) as opening:
        store = opening.store
        iri = find(store, what) if what is not None else None
        _write(out, lambda stream: export(store, format.value, iri, stream, datetime.now(UTC)))


def _manifest(
    what: str | None, key: Path | None, vendor: str | None, uri: str | None
) -> Callable[[IO[bytes]], object]:
    from tinyc.packaging import IMAGE
    from tinyc.registry.formats import suit, suit_build
    from tinyc.signing.keys import load_signing_key, warning

    if what is None:
        raise TinycError("a manifest is made of a build folder", hint="name the folder of `tinyc build`")
    folder = Path(what)
    path = _key_of(key)
    signer = load_signing_key(path)
    told = warning(signer, path)
    if told:
        output.talk(told)
    image = folder / IMAGE if folder.is_dir() else folder
    made = suit_build.manifest(image, signer, vendor=vendor or suit.VENDOR_DOMAIN, uri=uri or "")
    return lambda stream: stream.write(made)


def _key_of(key: Path | None) -> Path:
    """The key that is told, else that of the tinyc.toml here."""
    from tinyc.config import load_config

    if key is None:
        here = Path("tinyc.toml")
        key = load_config(here).signing_key if here.is_file() else None
    if key is None:
        raise TinycError(
            "no key to sign with", hint="--key FILE, or `key` under [signing] in the tinyc.toml here"
        )
    return key


def _write(out: Path | None, write: Callable[[IO[bytes]], object]) -> None:
    if out is None:
        _to_stdout(write)
        return
    from tinyc.files import part_of

    part = part_of(out)
    try:
        try:
            with part.open("wb") as stream:
                write(stream)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise TinycError(f"cannot be written: {error.strerror or error}", where=str(out)) from error
    output.talk(f"wrote {out}")


def _to_stdout(write: Callable[[IO[bytes]], object]) -> None:
    stream = getattr(sys.stdout, "buffer", None)
    if stream is not None:
        sys.stdout.flush()
        write(stream)
        stream.flush()
        return
    kept = io.BytesIO()
    write(kept)
    sys.stdout.write(kept.getvalue().decode("utf-8"))
