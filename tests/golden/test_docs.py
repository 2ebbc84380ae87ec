"""Reference pages that are made from the code: the operator table and the command line."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import typer.main

from tinyc.cli.app import app
from tinyc.ir.ops import OPS
from tinyc.kernels.catalogue import CATALOGUE

pytestmark = pytest.mark.golden

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
NOTE = "<!-- Made by `make golden`; do not edit. -->\n"


def operators_page() -> str:
    kernels: dict[str, list[str]] = defaultdict(list)
    for kernel in CATALOGUE:
        kernels[kernel.op.kind].append(kernel.symbol)
    lines = ["# Operators", "", NOTE, "| operator | kernels, best first |", "|---|---|"]
    for kind in sorted(OPS):
        names = ", ".join(f"`{symbol}`" for symbol in kernels[kind])
        lines.append(f"| {kind} | {names or 'removed by the passes, or rejected with its reason'} |")
    lines += [
        "",
        "A kernel's name is `tinyc_<op>_<dtype>[_<variant>]__<isa>`: `s8` int8, `u8` uint8, `f32` float32.",
        "`portable` is C99 for any chip, `cortex_m4` needs the DSP extension of ARMv7E-M.",
    ]
    return "\n".join(lines) + "\n"


def command_line_page() -> str:
    lines = ["# Command line", "", NOTE]
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        lines += [f"## `tinyc {name}`", "", command.help or "", "", "| argument | meaning |", "|---|---|"]
        for parameter in command.params:
            if parameter.name == "help":
                continue
            options = ", ".join(f"`{option}`" for option in parameter.opts)
            label = options if parameter.opts[0].startswith("-") else f"`{parameter.name.upper()}`"
            lines.append(f"| {label} | {getattr(parameter, 'help', None) or ''} |")
        lines.append("")
    lines += [
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | an error that you can fix; it names the thing, what is allowed and a hint |",
        "| 2 | wrong usage of the command line |",
        "| 3 | the model does not fit on the board |",
        "| 4 | an execution differs from the reference |",
        "| 70 | a bug in tinyc |",
        "",
        "Data goes to stdout, talk to stderr. `NO_COLOR` and `TINYC_NO_PROGRESS` are respected;",
        "`TINYC_CACHE_DIR` moves the cache.",
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", ["operators.md", "cli.md"])
def test_reference_page_is_fresh(page: str, request: pytest.FixtureRequest) -> None:
    text = operators_page() if page == "operators.md" else command_line_page()
    path = REFERENCE / page
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "run `make golden`"
