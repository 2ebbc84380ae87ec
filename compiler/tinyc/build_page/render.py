"""View → one HTML text: the template with its styles, scripts and data inside.

The page's Content-Security-Policy allows these very scripts and styles, by their SHA-256, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from tinyc.build_page.view import Page

_FOLDER = Path(__file__).parent
# The colours and the elements from code are those of the registry's page.
_SHARED = _FOLDER.parent / "registry" / "web" / "static"
LIBRARIES = ("dagre", "panzoom", "d3-hierarchy")
"""Each is `vendor/<name>.min.js` with its licence in `vendor/<name>.LICENSE`."""
# The pieces of one module script, in this order: a later one uses what the earlier ones declare.
PIECES = (
    *("words", "selection", "details", "graph", "table", "tradeoff", "memory", "sizes", "bill", "comparison"),
    "page",
)


@dataclass(frozen=True, slots=True)
class _Inline:
    """The text of a `<script>` or `<style>` element, which has to be printed as it is."""

    text: str

    @property
    def source(self) -> str:
        """The source expression that allows it (Content Security Policy Level 3, section 2.3.1)."""
        digest = base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    @property
    def markup(self) -> Markup:
        return Markup(self.text)


def render(page: Page) -> str:
    """The page as a text of HTML: the same for the same builds, on every machine."""
    libraries = [_library(name) for name in LIBRARIES]
    pieces = [_SHARED / "dom.js", *(_FOLDER / "page" / f"{name}.js" for name in PIECES)]
    module = _Inline("\n" + "\n".join(_read(piece) for piece in pieces))
    style = _Inline("\n" + _read(_SHARED / "colours.css") + _read(_FOLDER / "page" / "style.css"))
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(script.source for script in (*libraries, module)),
            f"style-src {style.source}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            build=page.build,
            policy=policy,
            style=style.markup,
            libraries=[library.markup for library in libraries],
            module=module.markup,
            data=embedded(asdict(page)),
        )
    )


def embedded(value: object) -> Markup:
    """JSON that may stand inside a `<script>` element, whatever the texts in it are.

    Outside of strings JSON has none of the characters that could end the element or open a comment there.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _library(name: str) -> _Inline:
    folder = _FOLDER / "vendor"
    return _Inline(f"\n/*\n{_read(folder / f'{name}.LICENSE')}*/\n{_read(folder / f'{name}.min.js')}")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "page", encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
        newline_sequence="\n",
    )
