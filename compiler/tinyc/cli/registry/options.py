"""Options that the verbs of `tinyc registry` share, and the registry that they mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tinyc.registry.registry import Registry

RegistryAt = Annotated[
    str | None,
    typer.Option(
        "--registry",
        "--url",
        help="Folder of a registry, or URL of a SPARQL endpoint. Default: TINYC_REGISTRY, `[registry] at` "
        "of tinyc.toml, or .tinyc/registry here or above.",
        show_default=False,
    ),
]
SiteName = Annotated[
    str | None,
    typer.Option(
        "--site",
        help="Where the devices are. Default: `[registry] site` of tinyc.toml.",
        show_default=False,
    ),
]


@contextmanager
def opened(at: str | None, *, writable: bool = False) -> Iterator[Registry]:
    """The registry that is meant, open. Raises TinycError when there is none, or it cannot be opened."""
    from tinyc.registry.location import require
    from tinyc.registry.registry import Registry

    with Registry.open(require(at), writable=writable) as registry:
        yield registry


def site_of(site: str | None) -> str:
    """The site that is named, else that of tinyc.toml, else none."""
    from tinyc.registry.location import site_here

    return site if site is not None else site_here()
