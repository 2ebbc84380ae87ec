"""What a user calls a thing, looked up in the registry: a name that nothing has is a mistake."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pyoxigraph import Literal, NamedNode

from tinyc.errors import Problem, TinycError, nearest
from tinyc.registry import names
from tinyc.registry.queries import NamedQuery
from tinyc.registry.store.base import Rows, Store, Term, Truth
from tinyc.registry.values import ANY, Wrong, iri, is_iri
from tinyc.registry.vocabulary import SCHEMA, TINYC

MANY = 1000
"""Names that are compared for the nearest one."""
_PREFIX = re.compile(r"[0-9a-f]{8,63}")


def resolve(query: NamedQuery, texts: Mapping[str, str], store: Store) -> dict[str, str]:
    """The texts for `query.bind`: what only the registry knows is put in, as the board of a chip number.

    Raises TinycError with every parameter that is unknown or names nothing in the registry.
    """
    found = dict(texts)
    problems = query.unknown(found)
    for parameter in query.parameters:
        text = found.get(parameter.name)
        look = _LOOKS.get(parameter.type)
        if text is None or look is None or text == ANY == parameter.default:
            continue
        try:
            found[parameter.name] = look(store, text, texts)
        except Wrong as error:
            problems.append(Problem(parameter.name, str(error), error.allowed))
    if problems:
        raise TinycError("the parameters are not right", where=query.name, problems=problems)
    return found


def column(store: Store, text: str) -> list[Term]:
    """The first column of a SELECT, without what is unbound."""
    answer = store.query(text)
    if not isinstance(answer, Rows):
        raise TypeError("a SELECT was answered by something else than rows")
    return [row[0] for row in answer.rows if row[0] is not None]


def _asks(store: Store, pattern: str) -> bool:
    answer = store.query(f"ASK {{ {pattern} }}")
    return isinstance(answer, Truth) and answer.value


def _texts(store: Store, pattern: str) -> list[str]:
    """The distinct values of ?x as text, in order."""
    found = column(store, f"SELECT DISTINCT ?x WHERE {{ {pattern} }} LIMIT {MANY}")
    return sorted(term.value for term in found if isinstance(term, Literal | NamedNode))


def _known(store: Store, text: str) -> str:
    """An IRI that the registry says something about."""
    node = iri(text)
    if not _asks(store, f"{node} ?p ?o"):
        raise Wrong(f"is {text}, of which the registry knows nothing", "the IRI of a thing in the registry")
    return text


def _named(
    kind: NamedNode, make: Callable[[str], NamedNode]
) -> Callable[[Store, str, Mapping[str, str]], str]:
    def look(store: Store, text: str, _: Mapping[str, str]) -> str:
        if is_iri(text):
            return _known(store, text)
        if _asks(store, f"{make(text)} a {kind}"):
            return text
        pattern = f"?x a {kind} ; {SCHEMA.name} {Literal(text)}"
        other = column(store, f"SELECT ?x WHERE {{ {pattern} }} LIMIT 1")
        if other and isinstance(other[0], NamedNode):
            return other[0].value
        raise _unknown(text, _texts(store, f"?y a {kind} ; {SCHEMA.name} ?x"))

    return look


def _unknown(text: str, there: list[str]) -> Wrong:
    return Wrong(
        f"is {text!r}, which the registry does not know", nearest(text, there) if there else "it has none"
    )


def _device(store: Store, text: str, _: Mapping[str, str]) -> str:
    if is_iri(text):
        return _known(store, text)
    board, colon, chip = text.partition(":")
    if colon:
        if not _asks(store, f"{names.device(board, chip)} a {TINYC.Device}"):
            raise Wrong(f"is {text!r}, which the registry does not know", _chips(store, chip))
        return text
    found = column(store, f"SELECT ?x WHERE {{ ?x {TINYC.chip} {Literal(text)} }} LIMIT 10")
    devices = [term.value for term in found if isinstance(term, NamedNode)]
    if len(devices) == 1:
        return devices[0]
    if devices:
        raise Wrong(f"is {text!r}, which {len(devices)} devices are called", f"one of {', '.join(devices)}")
    raise Wrong(f"is {text!r}, which the registry does not know", _chips(store, text))


def _chips(store: Store, chip: str) -> str:
    """Chip numbers that begin alike; a registry has too many to list them."""
    begin = f"FILTER(STRSTARTS(?x, {Literal(chip[:4])}))"
    near = _texts(store, f"?y {TINYC.chip} ?x . {begin}") if chip[:4] else []
    return nearest(chip, near) if near else "BOARD:CHIP, a chip number, or the IRI of a device"


def _model(store: Store, text: str, _: Mapping[str, str]) -> str:
    if is_iri(text):
        return _known(store, text)
    name, at, release = text.rpartition("@")
    if at:
        pattern = f"?x a {TINYC.Model} ; {SCHEMA.name} {Literal(name)} ; {SCHEMA.version} "
        found = column(store, f"SELECT ?x WHERE {{ {pattern} {Literal(release)} }} LIMIT 2")
        if len(found) == 1 and isinstance(found[0], NamedNode):
            return found[0].value
        there = _texts(store, f"?y a {TINYC.Model} ; {SCHEMA.name} {Literal(name)} ; {SCHEMA.version} ?x")
        if there:
            raise _unknown(text, [f"{name}@{each}" for each in there])
    word = Literal(text)
    model = f"?y a {TINYC.Model} ; {SCHEMA.name} ?name ; {TINYC.digest} ?digest"
    if _asks(store, f"{model} . FILTER({word} IN (?name, ?digest))"):
        return text
    if _PREFIX.fullmatch(text):
        digests = _texts(store, f"?y a {TINYC.Model} ; {TINYC.digest} ?x . FILTER(STRSTARTS(?x, {word}))")
        if len(digests) == 1:
            return digests[0]
        if digests:
            raise Wrong(f"is {text!r}, with which {len(digests)} digests begin", "more digits")
    raise _unknown(text, _texts(store, f"?y a {TINYC.Model} ; {SCHEMA.name} ?x"))


def _version(store: Store, text: str, texts: Mapping[str, str]) -> str:
    """A version of the model that is asked for, or of any."""
    model, of = texts.get("model", ANY), ""
    if model != ANY:
        wanted = iri(model) if is_iri(model) else Literal(model)
        of = f"?y {SCHEMA.name} ?name ; {TINYC.digest} ?digest . FILTER({wanted} IN (?name, ?digest, ?y)) . "
    pattern = f"?y a {TINYC.Model} ; {SCHEMA.version} ?x . {of}"
    # A model that is not known is the mistake, not its version.
    there = _texts(store, pattern)
    if text in there or (of and not there):
        return text
    raise _unknown(text, there)


def _firmware(store: Store, text: str, _: Mapping[str, str]) -> str:
    if is_iri(text):
        return _known(store, text)
    found = _texts(store, f"?y {TINYC.identity} ?x . FILTER(STRSTARTS(?x, {Literal(text)}))") if text else []
    if len(found) == 1:
        return found[0]
    if found:
        raise Wrong(f"is {text!r}, with which {len(found)} identities begin", "more digits")
    raise Wrong(
        f"is {text!r}, which the registry does not know", "the identity of a firmware, or its beginning"
    )


_LOOKS: dict[str, Callable[[Store, str, Mapping[str, str]], str]] = {
    "board": _named(TINYC.Board, names.board),
    "site": _named(TINYC.Site, names.site),
    "device": _device,
    "model": _model,
    "version": _version,
    "firmware": _firmware,
    "iri": lambda store, text, _: _known(store, text),
}
