"""SPARQL as text: its tokens, what kind of request it is, and where exactly it is wrong.

Oxigraph's parser reports the furthest place that any of its rules looked at. A keyword that is not there is
looked at to its full length, so the place lies up to a dozen characters behind the mistake. The exact token
is found by parsing beginnings of the text: the first that cannot be continued ends with the token that is
wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyoxigraph

from tinyc.registry.store.errors import SparqlSyntaxError

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n\r]*)
    |(?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    |(?P<string>\"\"\"(?:\"{0,2}(?:[^"\\]|\\.))*\"\"\"|'''(?:'{0,2}(?:[^'\\]|\\.))*'''
        |"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*')
    |(?P<variable>[?$]\w+)
    |(?P<prefixed>(?:[^\W\d_](?:[\w.-]*[\w-])?)?:(?:(?:[\w:.-]|%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?\#@%])*
        (?:[\w:-]|%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?\#@%]))?)
    |(?P<blank>_:[\w.-]*\w)
    |(?P<language>@[a-zA-Z]+(?:-[a-zA-Z0-9]+)*)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>\^\^|&&|\|\||!=|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)
_PLACE = re.compile(r"error at (\d+):(\d+): expected (.*)", re.DOTALL)
_OTHER_PLACE = re.compile(r"line (\d+)(?:, column (\d+))?")
_PADDING = 32
_MOST_PARSES = 400
_UPDATES = frozenset(["INSERT", "DELETE", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY", "WITH"])
_QUERIES = frozenset(["SELECT", "ASK", "CONSTRUCT", "DESCRIBE"])
# What Oxigraph finds only when it has read on: the place that it gives is right, or the end.
_MEANT = {
    "Prefix not found": "the prefix is not declared",
    "IRI parsing failed": "the IRI is not valid, or relative",
    "The SELECT contains a variable that is unbound": "SELECT has a variable that nothing binds or groups",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: its kind is a name of a group in the pattern above."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokens(text: str) -> Iterator[Token]:
    """What counts in the text: no white space, no comments."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup not in ("space", "comment"):
            yield Token(str(match.lastgroup), match.group(), match.start())


def form(text: str) -> str:
    """`select`, `ask`, `construct`, `describe` or `update`; empty when the text starts like none of them."""
    skip = 0
    for token in tokens(text):
        word = token.text.upper()
        if skip:
            skip -= 1
        elif token.kind == "word" and word in ("PREFIX", "BASE"):
            skip = 2 if word == "PREFIX" else 1
        elif token.kind == "word" and word in _QUERIES:
            return word.lower()
        elif token.kind == "word" and word in _UPDATES:
            return "update"
        else:
            return ""
    # A prologue alone is an update that does nothing, and so is an empty text.
    return "update" if text.strip() else ""


def words(text: str) -> frozenset[str]:
    """The bare words of the text in capitals: keywords and functions, nothing of strings, IRIs or
    comments."""
    return frozenset(token.text.upper() for token in tokens(text) if token.kind == "word")


def reaches_out(text: str) -> bool:
    """Whether the request asks the store to open other addresses: SERVICE or LOAD."""
    return bool(words(text) & {"SERVICE", "LOAD"})


def prologue(text: str, prefixes: Mapping[str, str]) -> str:
    """Declarations, on no line of their own, of those prefixes that the text uses and does not declare."""
    used: set[str] = set()
    declared: set[str] = set()
    before = ""
    for token in tokens(text):
        if token.kind == "prefixed":
            name = token.text.partition(":")[0]
            (declared if before == "PREFIX" else used).add(name)
        before = token.text.upper()
    return "".join(
        f"PREFIX {name}: <{prefixes[name]}> " for name in sorted(used - declared) if name in prefixes
    )


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


def excerpt(text: str, line: int, column: int) -> str:
    """The line, and a caret below the column; empty when there is no such line."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines) or column < 1:
        return ""
    shown = lines[line - 1].rstrip("\r")
    # Tabs stay in the line of the caret, so that it stands where it should.
    indent = "".join("\t" if character == "\t" else " " for character in shown[: column - 1])
    return f"    {shown}\n    {indent.ljust(column - 1)}^"


def syntax_error(
    message: str, text: str, prefixes: Mapping[str, str] | None, *, shift: int = 0
) -> SparqlSyntaxError:
    """The error for what a store said about `text`. `shift`: characters that were put before its first
    line."""
    update = form(text) == "update"
    # What is valid as its beginning would be run: nothing that opens other addresses.
    exact = None if reaches_out(text) else _exact(text, dict(prefixes or {}), update)
    if exact is not None:
        return exact
    found = _PLACE.search(message)
    other = None if found else _OTHER_PLACE.search(message)
    if found:
        line, column = int(found[1]), int(found[2])
        what = _sentence(found[3]) or "not SPARQL here"
    else:
        line, column = (int(other[1]), int(other[2] or 0)) if other else (0, 0)
        what = message.strip().splitlines()[0] if message.strip() else "not SPARQL"
    if line == 1 and column:
        column = max(column - shift, 1)
    return SparqlSyntaxError(what, line=line, column=column, excerpt=excerpt(text, line, column))


def _exact(text: str, prefixes: dict[str, str], update: bool) -> SparqlSyntaxError | None:
    """The error with its exact token; None when the text parses here or has too many tokens."""
    whole = _parse(text, prefixes, update)
    if whole is None:
        return None
    pieces = list(tokens(text))
    if len(pieces) > _MOST_PARSES or not pieces:
        return None
    expected = ""
    for piece in pieces:
        failed = _parse(text[: piece.end] + " " * _PADDING, prefixes, update)
        if failed is None:
            expected = "the end"
            continue
        line, column, expectation = failed
        at_end = (line, column) == place(text[: piece.end] + " " * _PADDING, piece.end + _PADDING)
        sentence = _sentence(expectation) or _sentence(whole[2])
        if at_end and not ("Prefix not found" in expectation or "IRI parsing failed" in expectation):
            expected = _expected(expectation)
            continue
        line, column = place(text, piece.start)
        if "Prefix not found" in expectation:
            sentence = f"the prefix of `{piece.text}` is not declared"
        return SparqlSyntaxError(
            sentence or _wrong(piece),
            line=line,
            column=column,
            hint=f"expected: {expected}" if expected and not sentence else "",
            excerpt=excerpt(text, line, column),
        )
    # Every beginning can be continued, so something is missing at the end, or a rule of the whole is broken.
    sentence = _sentence(whole[2])
    line, column = place(text, pieces[-1].end)
    what = "the string does not end" if pieces[-1].text in "\"'" else "the text ends too early"
    return SparqlSyntaxError(
        sentence or what,
        line=line,
        column=column,
        hint=f"expected: {expected}" if expected and not sentence else "",
        excerpt=excerpt(text, line, column),
    )


def _parse(text: str, prefixes: dict[str, str], update: bool) -> tuple[int, int, str] | None:
    """Line, column and expectation of the parser's error; None when the text is valid. Nothing is kept."""
    scratch = pyoxigraph.Store()
    try:
        if update:
            scratch.update(text, prefixes=prefixes)
        else:
            scratch.query(text, prefixes=prefixes)
    except SyntaxError as error:
        found = _PLACE.search(str(error))
        return (int(found[1]), int(found[2]), found[3]) if found else (0, 0, str(error))
    except (OSError, RuntimeError, ValueError):
        return None
    return None


def _expected(alternatives: str) -> str:
    """The parser's alternatives in words that mean something to a reader."""
    shown = re.findall(r'"((?:[^"\\]|\\.)+)"|\b([A-Z][A-Z0-9 ]+)\b', re.sub(r"\[[^\]]*\]", "", alternatives))
    signs = {sign for sign, _ in shown}
    names = [
        name for sign, name in (("?", "a variable"), ("<", "an IRI"), ('\\"', "a literal")) if sign in signs
    ]
    names += [f"`{sign}`" for sign in sorted(signs & set(".;,{}()="))]
    names += sorted({word for _, word in shown if word})
    return ", ".join(names[:8])


def _sentence(alternatives: str) -> str:
    """What the parser says in a sentence instead of naming what it expects; empty when it does not."""
    for sign, meaning in _MEANT.items():
        if sign in alternatives:
            return meaning
    found = re.search(r"(?:^|one of |, )([A-Z][\w ]* [a-z][\w' ]+)", alternatives)
    return found[1][0].lower() + found[1][1:] if found else ""


def _wrong(piece: Token) -> str:
    if piece.kind == "iri" and not re.match(r"<[A-Za-z][A-Za-z0-9+.-]*:", piece.text):
        return f"`{_short(piece.text)}` is relative: an IRI begins with its scheme, such as `urn:`"
    if piece.kind == "sign" and piece.text in "\"'":
        return "the string does not end"
    return f"`{_short(piece.text)}` is not expected here"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
