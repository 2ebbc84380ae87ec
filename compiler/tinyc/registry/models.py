"""The models that a registry knows, with their manifests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pyoxigraph import Literal, NamedNode

from tinyc.errors import TinycError, nearest
from tinyc.program import NO_VERSION
from tinyc.registry.names import BASE
from tinyc.registry.store.base import Rows, Store
from tinyc.registry.vocabulary import PREFIXES
from tinyc.versioning.calculator import merged
from tinyc.versioning.model import Manifest, Target
from tinyc.versioning.numbers import Version

_USED = ("tinyc", "schema", "prov")


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A version of a model. `texts` are the manifests that were stored with it, mostly one."""

    iri: NamedNode
    name: str
    version: str
    digest: str
    texts: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"


def rows(store: Store, text: str) -> Iterator[dict[str, str]]:
    """The answer of a SELECT, each row as variable → text of the term; what is unbound is left out."""
    answer = store.query(text, prefixes={name: PREFIXES[name] for name in _USED})
    if not isinstance(answer, Rows):
        raise TypeError("not a SELECT")
    for row in answer.rows:
        yield {
            name: term.value
            for name, term in zip(answer.variables, row, strict=True)
            if isinstance(term, NamedNode | Literal)
        }


def models(store: Store, name: str | None = None) -> tuple[RegisteredModel, ...]:
    """All versions of all models, or of one; by name, the newest version first."""
    only = "" if name is None else f"VALUES ?name {{ {Literal(name)} }}"
    texts: dict[tuple[str, str, str, str], list[str]] = {}
    query = f"""SELECT ?model ?name ?version ?digest ?manifest WHERE {{
        {only} ?model a tinyc:Model ; schema:name ?name .
        OPTIONAL {{ ?model schema:version ?version }}
        OPTIONAL {{ ?model tinyc:digest ?digest }}
        OPTIONAL {{ ?model tinyc:manifest ?manifest }} }}"""
    for row in rows(store, query):
        key = row["model"], row["name"], row.get("version", NO_VERSION), row.get("digest", "")
        kept = texts.setdefault(key, [])
        if "manifest" in row:
            kept.append(row["manifest"])
    found = [
        RegisteredModel(NamedNode(iri), name, version, digest, tuple(sorted(kept)))
        for (iri, name, version, digest), kept in texts.items()
    ]
    found.sort(key=lambda model: model.digest)
    found.sort(key=_number, reverse=True)
    found.sort(key=lambda model: model.name)
    return tuple(found)


def find(store: Store, reference: str) -> RegisteredModel:
    """The model that NAME@VERSION, NAME (its newest version) or an IRI means.

    Raises TinycError when there is none, and when several models have this name and version.
    """
    if reference.startswith(BASE):
        known = models(store)
        found = [model for model in known if model.iri.value == reference]
    else:
        name, at, version = reference.rpartition("@")
        if not at:
            name, version = reference, ""
        known = models(store, name)
        found = [model for model in known if model.version == (version or known[0].version)]
        if not known:
            names = tuple(dict.fromkeys(model.name for model in models(store)))
            raise TinycError(
                f"the registry knows no model {name!r}", allowed=nearest(name, names) if names else ""
            )
    if not found:
        raise TinycError(
            f"the registry does not know {reference!r}",
            allowed=", ".join(model.label for model in known) if len(known) <= 20 else "",
        )
    if len(found) > 1:
        raise TinycError(
            f"{len(found)} models are {found[0].label}",
            allowed="one of " + ", ".join(model.iri.value for model in found),
            hint="name the one by its IRI",
        )
    return found[0]


def one_manifest(store: Store, reference: str) -> Manifest:
    """The manifest of a model, with its builds for all boards. Raises TinycError when it has none."""
    model = find(store, reference)
    found = manifest_of(store, model)
    if found is None:
        raise TinycError(f"the registry has no manifest of {model.label}", hint="add a build of it again")
    return found


def manifests(store: Store, name: str) -> tuple[Manifest, ...]:
    """The manifests of all versions of a model; versions without a readable one are left out."""
    return tuple(_each(store, models(store, name)))


def _each(store: Store, known: Iterable[RegisteredModel]) -> Iterator[Manifest]:
    for model in known:
        try:
            Version.parse(model.version)
            found = manifest_of(store, model)
        except TinycError:
            continue
        if found is not None:
            yield found


def manifest_of(store: Store, model: RegisteredModel) -> Manifest | None:
    """The manifest that is stored with a model, and what the registry knows of its builds; None without one.

    Name, version and digest are the registry's. Raises TinycError for a manifest that cannot be read.
    """
    found: Manifest | None = None
    for text in model.texts:
        try:
            values = json.loads(text)
        except ValueError as error:
            raise TinycError(f"the manifest is no JSON: {error}", where=model.label) from error
        read = Manifest.from_json(values, model.label)
        found = read if found is None else merged(found, read)
    if found is None:
        return None
    targets = {**_targets(store, model.iri), **found.targets}
    return replace(found, name=model.name, version=model.version, targets=targets)


def _targets(store: Store, model: NamedNode) -> dict[str, Target]:
    """Board → its newest build, as far as the registry says; the code's digest is not known."""
    query = f"""SELECT ?board ?core ?flash ?ram ?arena ?weights ?stack ?hasFlash ?hasRam ?toolchain ?optimize
      WHERE {{
        ?firmware tinyc:model {model} ; tinyc:board ?place ; tinyc:budget ?budget .
        ?place schema:name ?board ; tinyc:core ?core ; tinyc:flash ?hasFlash ; tinyc:ram ?hasRam .
        ?budget tinyc:flash ?flash ; tinyc:ram ?ram .
        OPTIONAL {{ ?budget tinyc:arena ?arena }} OPTIONAL {{ ?budget tinyc:weightBytes ?weights }}
        OPTIONAL {{ ?budget tinyc:stack ?stack }} OPTIONAL {{ ?firmware tinyc:toolchain ?toolchain }}
        OPTIONAL {{ ?firmware tinyc:optimize ?optimize }}
        OPTIONAL {{ ?firmware prov:generatedAtTime ?at }}
      }} ORDER BY ?at"""
    return {
        row["board"]: Target(
            core=row["core"],
            flash=int(row["flash"]),
            ram=int(row["ram"]),
            arena=int(row.get("arena", 0)),
            weights=int(row.get("weights", 0)),
            stack=int(row.get("stack", 0)),
            available_flash=int(row["hasFlash"]),
            available_ram=int(row["hasRam"]),
            toolchain=row.get("toolchain", ""),
            optimize=row.get("optimize", ""),
            code=None,
        )
        for row in rows(store, query)
    }


def _number(model: RegisteredModel) -> tuple[int, int, int, bool, int]:
    """For sorting: what is no version comes last."""
    try:
        version = Version.parse(model.version)
    except TinycError:
        return (-1, 0, 0, False, 0)
    return (*version.core, version.is_release, version.candidate or 0)
