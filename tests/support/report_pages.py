"""What stands in a page that `tinyc report` wrote."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Elements(HTMLParser):
    """The policy of a page and the texts of its scripts, styles and data, as a browser takes them apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.policy = ""
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.data = ""
        self._into: list[str] | None = None
        self._is_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = dict(attributes)
        if tag == "meta" and told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"] or ""
        self._is_data = told.get("type") == "application/json"
        self._into = {"script": self.scripts, "style": self.styles}.get(tag)

    def handle_endtag(self, tag: str) -> None:
        self._into = None

    def handle_data(self, text: str) -> None:
        if self._into is not None and self._is_data:
            self.data += text
        elif self._into is not None:
            self._into.append(text)


def page_data(path: Path) -> Any:
    """The JSON that the page's scripts read."""
    return json.loads(Elements(path.read_text(encoding="utf-8")).data)
