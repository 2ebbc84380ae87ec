"""C identifiers and comment texts from names that people gave: any Unicode, any clash, any length."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# C99 and C11 keywords, C++ keywords that a drop-in header may meet, and names of the libraries used.
RESERVED = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union unsigned
    void volatile while asm typeof alignas alignof bool complex imaginary generic noreturn thread_local
    and and_eq bitand bitor catch class compl concept constexpr decltype delete dynamic_cast explicit
    export false friend mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public reinterpret_cast requires static_assert static_cast template this throw true try
    typeid typename using virtual wchar_t xor xor_eq main memcpy memset memmove memcmp strlen errno
    null hal tinyc audio""".split()  # noqa: SIM905
)
_LONGEST = 40
_LONGEST_COMMENT = 160


def c_identifier(text: str, fallback: str = "model") -> str:
    """A lower-case C identifier that resembles `text`.

    Accents are dropped, runs of anything else become one underscore, a leading digit gets the
    fallback in front, reserved words get `_model` behind. `fallback` itself is a valid identifier
    and the answer when nothing is left.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:_LONGEST].rstrip("_")
    if not name:
        return fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return f"{name}_{fallback}" if name in RESERVED else name


def unique_identifiers(names: Iterable[str], fallback: str = "model") -> tuple[str, ...]:
    """`c_identifier` of each name; later ones that clash get `_2`, `_3`, ..."""
    taken: set[str] = set()
    found = []
    for text in names:
        base = candidate = c_identifier(text, fallback)
        number = 2
        while candidate in taken:
            candidate = f"{base}_{number}"
            number += 1
        taken.add(candidate)
        found.append(candidate)
    return tuple(found)


def comment_text(text: object) -> str:
    """`text` as it may stand inside a C block comment: one line of ASCII that cannot end it."""
    plain = str(text).encode("unicode_escape").decode("ascii")
    plain = plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
    return plain if len(plain) <= _LONGEST_COMMENT else plain[:_LONGEST_COMMENT] + "..."


def string_literal(text: str) -> str:
    """`text` as a C string literal, quotes included; UTF-8 bytes outside ASCII become octal."""
    parts = []
    for byte in text.encode("utf-8"):
        plain = 0x20 <= byte < 0x7F and byte not in b'"\\?'
        parts.append(chr(byte) if plain else f"\\{byte:03o}")
    return '"' + "".join(parts) + '"'
