"""`tinyc keys`: the keys that sign images for devices."""

from __future__ import annotations

import json as text_of
from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json

app = typer.Typer(help="Make and show the keys that sign images for devices.", no_args_is_help=True)


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="The file to make; it must not be there.")] = Path(
        "tinyc-key.pem"
    ),
) -> None:
    """Make an Ed25519 key pair that signs images; print the fingerprint of its public key."""
    from tinyc.signing.keys import new_key

    key = new_key(path)
    output.data(key.public.fingerprint)
    output.talk(
        f"wrote {path}, which only you can read. Keep it secret, name it in .gitignore, and keep a copy in\n"
        "a safe place: with it anybody can sign images for your devices, without it nobody can.\n"
        "For tinyc.toml, relative to that file:\n\n"
        f"[signing]\nkey = {text_of.dumps(str(path), ensure_ascii=False)}"
    )


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="The PEM file of a private or a public key.")],
    pem: Annotated[bool, typer.Option("--pem", help="Print the public key as a PEM file instead.")] = False,
    json: Json = False,
) -> None:
    """Show the fingerprint of a key, and whether it can sign."""
    from tinyc.signing.keys import PublicKey, load_key, warning

    key = load_key(path)
    public, kind = key.public, "public" if isinstance(key, PublicKey) else "private"
    told = warning(key, path)
    if told:
        output.talk(told)
    if json:
        entry = {"path": str(path), "kind": kind, "fingerprint": public.fingerprint}
        output.as_json(entry | {"public": public.raw.hex(), "pem": public.pem})
    elif pem:
        output.data(public.pem)
    else:
        output.table("", ("key", "kind", "fingerprint"), [(path, f"Ed25519, {kind}", public.fingerprint)])
