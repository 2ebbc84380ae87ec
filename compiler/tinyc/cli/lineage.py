"""Where a model comes from and what was released before it: from tinyc.toml and the registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyc.errors import TinycError
from tinyc.source import Source

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.registry.store.base import Store
    from tinyc.versioning.model import Manifest


def origin_of(source: Source) -> Manifest | None:
    """The manifest of the `base` that tinyc.toml names. Raises TinycError when it cannot be found."""
    config = source.config
    if config is None or config.base is None:
        return None
    return find(config.base, config.path.parent, start=config.path.parent)


def find(
    reference: str, here: Path = Path(), registry: str | None = None, start: Path | None = None
) -> Manifest:
    """The manifest that a build folder, a JSON file or NAME@VERSION means."""
    from tinyc.versioning.sources import load_manifest

    def registered(name: str) -> Manifest:
        from tinyc.registry.models import one_manifest

        with reading(registry, start) as store:
            if store is None:
                raise TinycError(
                    f"no registry is known to look up {name!r}",
                    allowed="a build folder, a manifest.json, or NAME@VERSION of the registry",
                    hint="`tinyc registry init` makes one here",
                )
            return one_manifest(store, name)

    return load_manifest(reference, here, registered)


def release_of(source: Source, origin: Manifest | None) -> dict[str, Any] | None:
    """What the report says of the model as a release, None when tinyc.toml says nothing."""
    config = source.config
    if config is None:
        return None
    base = None
    if origin is not None:
        base = {"name": origin.name, "version": origin.version, "digest": origin.digest}
    told: dict[str, Any] = {
        "base": base,
        "relation": config.relation,
        "units": config.units,
        "sensor": config.sensor,
        "envelope": {board: dict(limits) for board, limits in config.envelope.items()},
    }
    return told if any(told.values()) else None


def finish(found: Artifact, source: Source, origin: Manifest | None, *, any_version: bool) -> None:
    """Write the manifest of a build; unless `any_version`, refuse a version that is too low."""
    from tinyc.versioning.building import manifest_of, write_manifest
    from tinyc.versioning.gate import check_build

    manifest = manifest_of(found)
    write_manifest(found.folder, manifest)
    start = source.config.path.parent if source.config is not None else None
    if not any_version:
        check_build(manifest, origin, _earlier(manifest, start))


def _earlier(model: Manifest, start: Path | None) -> tuple[Manifest, ...]:
    """The releases of this name that the registry knows; nothing when it cannot be asked."""
    from tinyc.program import NO_VERSION

    if model.version == NO_VERSION:
        return ()
    try:
        with reading(None, start) as store:
            if store is None:
                return ()
            from tinyc.registry.models import manifests

            return manifests(store, model.name)
    except TinycError:
        # A build needs no registry: whoever records it later is told that it cannot be reached.
        return ()


@contextmanager
def reading(registry: str | None, start: Path | None = None) -> Iterator[Store | None]:
    """The registry's store to read from; None when none is configured.

    Raises TinycError when it cannot be opened.
    """
    from tinyc.registry.location import find as locate
    from tinyc.registry.registry import Registry

    location = locate(registry, start)
    if location is None:
        yield None
        return
    with Registry.open(location, writable=False, verb="tinyc version") as found:
        yield found.store


def record(
    reference: str, model: Manifest, base: str | None, relation: str | None, registry: str | None
) -> Manifest:
    """Write into a build folder or manifest.json that its model was derived from `base`.

    Where a registry is configured, it is told of a build folder at once. Raises TinycError when one of
    both is missing, and for a model that is only in the registry.
    """
    import json
    from dataclasses import asdict, replace

    from tinyc.artifact import REPORT, as_json_bytes, is_artifact
    from tinyc.errors import nearest
    from tinyc.files import write_if_changed
    from tinyc.versioning.building import MANIFEST, to_bytes
    from tinyc.versioning.model import RELATIONS, BaseModel

    if base is None or relation is None:
        raise TinycError("--base and --relation are given together")
    if relation not in RELATIONS:
        raise TinycError(f"{relation!r} is no relation", allowed=nearest(relation, RELATIONS))
    path = Path(reference)
    if not path.exists():
        raise TinycError(
            "is not a build folder or a manifest.json, so nothing can be recorded in it", where=reference
        )
    origin = find(base, registry=registry)
    if origin.digest == model.digest and origin.version == model.version:
        raise TinycError("a model is not derived from itself", where=base)
    told = BaseModel(origin.name, origin.version, origin.digest)
    model = replace(model, base=told, relation=relation)
    if path.is_dir() and is_artifact(path):
        report = json.loads((path / REPORT).read_text(encoding="utf-8"))
        release = {**(report.get("release") or {}), "base": asdict(told), "relation": relation}
        write_if_changed(path / REPORT, as_json_bytes({**report, "release": release}))
    write_if_changed(path / MANIFEST if path.is_dir() else path, to_bytes(model))
    if path.is_dir() and is_artifact(path):
        from tinyc.artifact import open_artifact
        from tinyc.cli import output
        from tinyc.cli.registry.recording import record_build

        record_build(open_artifact(path), output.talk)
        output.talk(
            "recorded; for the builds to come say the same in tinyc.toml: "
            f'[model] base = "{base}", relation = "{relation}"'
        )
    return model
