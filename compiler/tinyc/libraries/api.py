"""`API.md` from the C headers: the comments there are the one place where the functions are explained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# A comment that begins a line, and the declarations below it up to an empty line or another comment.
_ENTRY = re.compile(r"^/\*(?P<words>(?s:.*?))\*/\n(?P<code>(?:(?!/\*).+\n)+)", re.MULTILINE)
_STARS = re.compile(r"^ ?\* ?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A comment of a header in Markdown, and the declarations that it explains."""

    words: str
    code: str


def entries(header: str) -> tuple[Entry, ...]:
    """What a header explains, in its order; the comment at its top is the first, without code."""
    top, *rest = header.split("#ifndef ", 1)
    found = [Entry(_words(top.strip().removeprefix("/*").removesuffix("*/")), "")]
    for match in _ENTRY.finditer("".join(rest)):
        found.append(Entry(_words(match["words"]), match["code"].rstrip("\n")))
    return tuple(found)


def _words(comment: str) -> str:
    return _STARS.sub("", comment).strip()


def markdown(title: str, headers: Mapping[str, str]) -> str:
    """The reference of a library: file name → text of every header that its users include."""
    parts = [f"# {title}\n"]
    for name, text in headers.items():
        parts.append(f"\n## `{name}`\n")
        for entry in entries(text):
            parts.append(f"\n{entry.words}\n")
            if entry.code:
                parts.append(f"\n```c\n{entry.code}\n```\n")
    return "".join(parts)
