"""The one Jinja environment: strict, quiet about white space, with the filters that C needs."""

from __future__ import annotations

from functools import cache

import jinja2

from tinyc.emit.arrays import literal
from tinyc.emit.names import comment_text
from tinyc.resources import data_folder


def signed(value: int) -> str:
    """`+ 4` or `- 4`, so that `x + -4` never appears."""
    return f"- {-value}" if value < 0 else f"+ {value}"


def _hex8(value: int) -> str:
    return f"0x{value & 0xFF:02x}"


def _byte_list(hexadecimal: str) -> str:
    return ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(hexadecimal))


@cache
def environment() -> jinja2.Environment:
    """Templates live under `firmware_templates`; a misspelt field is an error, not an empty text."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_folder("firmware_templates"), encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        newline_sequence="\n",
    )
    found.filters.update(signed=signed, hex8=_hex8, literal=literal, comment=comment_text, bytes=_byte_list)
    return found


def render(template: str, **values: object) -> str:
    """Text of `firmware_templates/<template>` with `values`."""
    return environment().get_template(template).render(**values)
