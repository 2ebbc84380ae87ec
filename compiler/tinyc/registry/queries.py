"""The library of named queries: `ontology/queries/*.rq`, their parameters, and values put in safely.

A file begins with comments: what it answers, `param NAME: TYPE [= default] -- what it is`,
`heartbeat VARIABLE` and `stale VARIABLE NAME`. In the text `$NAME` is a parameter. It is replaced token by
token with the N-Triples form of the value, so nothing of a value can become syntax. The number of the last
`LIMIT` is the parameter `limit`, there and where another `LIMIT` has the same number. `LIMIT 100000` is none:
it tells a store that some part, such as all models, is small enough to begin with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from tinyc.errors import Problem, TinycError, nearest
from tinyc.registry import values
from tinyc.resources import data_folder

LIMIT = "limit"
_HINT = "100000"
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
      | (?P<text>\"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\"|'''(?:[^'\\]|\\.|'(?!''))*'''
               |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<parameter>\$\w+)
      | (?P<variable>\?\w+)
      | (?P<word>\w+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PARAMETER = re.compile(r"(?P<name>\w+): (?P<type>\w+)(?: = (?P<default>.*?))? -- (?P<description>.+)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """`default` is text as a user would give it; None where a value must be given."""

    name: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query of the library.

    `heartbeat` is the column of devices whose heartbeats are to be joined, "" without one. `stale` is
    such a column and the parameter that says before which moment the last heartbeat must have been.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    text: str
    heartbeat: str = ""
    stale: tuple[str, str] | None = None

    def bind(self, **texts: str) -> str:
        """The query with values for its parameters.

        Raises TinycError with every parameter that is unknown, missing or of another type.
        """
        return self._filled(self.terms(**texts))

    def terms(self, **texts: str) -> dict[str, str]:
        """The N-Triples form of each parameter's value. Raises TinycError as `bind` does."""
        problems = self.unknown(texts)
        terms: dict[str, str] = {}
        for parameter in self.parameters:
            text = texts.get(parameter.name, parameter.default)
            if text is None:
                problems.append(Problem(parameter.name, "is missing", parameter.description))
                continue
            try:
                terms[parameter.name] = values.term(
                    parameter.type, text, any_=parameter.default == values.ANY
                )
            except values.Wrong as error:
                problems.append(Problem(parameter.name, str(error), error.allowed))
        if problems:
            raise TinycError("the parameters are not right", where=self.name, problems=problems)
        return terms

    def unknown(self, texts: Mapping[str, str]) -> list[Problem]:
        """The names among `texts` that are no parameters."""
        names = [parameter.name for parameter in self.parameters]
        return [
            Problem(name, "is no parameter", nearest(name, names) if names else "it takes none")
            for name in texts
            if name not in names
        ]

    def _filled(self, terms: dict[str, str]) -> str:
        tokens = list(tokens_of(self.text))
        for place in _limit_tokens(tokens):
            tokens[place] = ("word", terms[LIMIT])
        return "".join(
            terms[text[1:]] if kind == "parameter" else text for kind, text in tokens if kind != "comment"
        ).lstrip()


def tokens_of(text: str) -> Iterator[tuple[str, str]]:
    """The tokens of SPARQL as far as parameters need them: (kind, text). Nothing is left out."""
    for match in _TOKEN.finditer(text):
        yield match.lastgroup or "other", match.group()


@lru_cache(maxsize=1)
def named_queries() -> dict[str, NamedQuery]:
    """Every named query, by name, in alphabetical order."""
    paths = {path.stem: path for path in (data_folder("ontology") / "queries").glob("*.rq")}
    return {name: load(paths[name]) for name in sorted(paths)}


def find(name: str) -> NamedQuery:
    """The query of that name. Raises TinycError with the nearest names."""
    query = named_queries().get(name)
    if query is None:
        near = nearest(name, list(named_queries()))
        # All names are too many for a message.
        asked = near if near.startswith("did") else "`tinyc registry ask` lists them"
        raise TinycError(f"no named query is called {name!r}", hint=asked)
    return query


def load(path: Path) -> NamedQuery:
    """The query of a file. Raises TinycError when its head is wrong."""
    text = path.read_text(encoding="utf-8")
    tokens = list(tokens_of(text))
    comments = [value[1:].strip() for kind, value in tokens if kind == "comment"]
    parameters: list[Parameter] = []
    heartbeat, stale = "", None
    for comment in comments[1:]:
        word, _, rest = comment.partition(" ")
        if word == "param":
            parameters.append(_parameter(rest, path))
        elif word == "heartbeat":
            heartbeat = rest
        elif word == "stale":
            column, _, name = rest.partition(" ")
            stale = (column, name)
    used = {value[1:] for kind, value in tokens if kind == "parameter"}
    told = {parameter.name for parameter in parameters} - ({stale[1]} if stale else set())
    if used != told:
        raise TinycError(f"`param` lines and text differ in {sorted(used ^ told)}", where=path.name)
    # `$x` and `?x` are one variable in SPARQL; here one of them is a value.
    both = used & {value[1:] for kind, value in tokens if kind == "variable"}
    if both:
        raise TinycError(f"{sorted(both)} are parameters and variables", where=path.name)
    for place in _limit_tokens(tokens)[-1:]:
        parameters.append(Parameter(LIMIT, "count", tokens[place][1], "how many rows at most"))
    return NamedQuery(path.stem, comments[0], tuple(parameters), text, heartbeat, stale)


def _parameter(text: str, path: Path) -> Parameter:
    match = _PARAMETER.fullmatch(text)
    if match is None or match["type"] not in values.TYPES:
        raise TinycError(f"cannot read `param {text}`", where=path.name)
    return Parameter(match["name"], match["type"], match["default"], match["description"])


def _limit_tokens(tokens: list[tuple[str, str]]) -> list[int]:
    """Where the number of the last `LIMIT` is, and where other `LIMIT`s have the same one."""
    words = [place for place, (kind, _) in enumerate(tokens) if kind == "word"]
    places = [
        number
        for place, number in pairwise(words)
        if tokens[place][1].upper() == "LIMIT" and tokens[number][1].isdigit() and tokens[number][1] != _HINT
    ]
    return [place for place in places if tokens[place][1] == tokens[places[-1]][1]]
