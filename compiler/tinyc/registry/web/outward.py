"""What would make a store ask other hosts or read files: SERVICE in queries, LOAD in updates. Both are
refused.

SPARQL cannot be told apart from its strings and comments without a parser of the very dialect that the
store speaks: `?a<'x>'` is one thing to a scanner and another to a parser. So the words are searched wherever
they stand in a way that could be the clause. A text that only mentions such a clause inside a string is
refused too.
"""

from __future__ import annotations

import re

# Every repetition is possessive and bounded, so that the search takes time linear in the text. What is longer
# than a bound counts as the clause: a comment of 300 characters there is no use to anybody.
_GAP = r"(?:\s++|\#[^\n\r]{0,300}+[\n\r]){0,50}+"
_NAME = r"(?:<[^<>\s]*+>|(?:\\.|[^\s{\#<\\]){1,300}+)"
_SERVICE = re.compile(
    # A variable called ?service is one whole token and never the keyword.
    rf"[?$]\w+|SERVICE{_GAP}(?:SILENT{_GAP})?(?:[\#\s]|{_NAME}(?:{_GAP}[\#\s{{]|[^\s{{\#<>])|\\)",
    re.IGNORECASE,
)
_PREFIX = r"[^\s:<\#{}\"'()]"
_NEXT = rf"(?:[\#\s<]|{_PREFIX}{{0,300}}+:|{_PREFIX}{{301}})"
_LOAD = re.compile(rf"(?:^|[\s;>}}\ufeff])LOAD{_GAP}(?:SILENT{_GAP})?{_NEXT}", re.IGNORECASE)
_PRAGMA = re.compile(rf"(?:^|[\s>\ufeff])DEFINE{_GAP}{_NEXT}", re.IGNORECASE)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def refused(text: str, *, update: bool = False) -> str | None:
    """Why `text` is not run: a sentence, or None. `update` looks for LOAD as well."""
    for form in {text, _ESCAPE.sub(_character, text)}:
        if any(match.group()[0] not in "?$" for match in _SERVICE.finditer(form)):
            return "SERVICE would make this server ask another one: it is refused"
        if update and _LOAD.search(form):
            return "LOAD would make this server fetch a file or an address: send the triples in INSERT DATA"
        if _PRAGMA.search(form):
            return "DEFINE changes how the store works: it is refused"
    return None


def _character(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else " "
