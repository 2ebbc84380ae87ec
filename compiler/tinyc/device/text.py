"""Text that a device sends for people, as a terminal may show it."""

from __future__ import annotations

import re

# Sequences that set colours or move the cursor.
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")


def plain(line: bytes) -> str:
    """One line of letters: sequences that control a terminal left out, whatever is no text replaced."""
    text = _CONTROL.sub("", line.decode("utf-8", errors="replace")).replace("\t", " ")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
