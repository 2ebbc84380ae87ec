"""Reference pages that are made from the code: operators, boards, the command line."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from support.operator_table import MICRO, TAKEN, refused_table, types_table
from support.registry_format_pages import formats_page
from support.registry_pages import ontology_page, queries_page
from tinyc.boards import board_names, load_board
from tinyc.cli.app import app
from tinyc.cores import CORES, FEATURES, HOST, combinations
from tinyc.emulator.available import emulators
from tinyc.frontends import tflite_movement, tflite_space, tflite_take, tflite_variables
from tinyc.frontends.tflite_refused import REASONS
from tinyc.frontends.tflite_shapes import CONSTANTS
from tinyc.ir.ops import OPS, ConvDepthwise2D, PatchStage, TokenBlock
from tinyc.ir.ops.float_functions import FloatFunction
from tinyc.kernels import cortex_m4_rows, portable_rows
from tinyc.kernels.catalogue import CATALOGUE
from tinyc.versioning.rules import RULES

pytestmark = pytest.mark.golden

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
NOTE = "<!-- Made by `make golden`; do not edit. -->\n"


def operators_page() -> str:
    kernels: dict[str, list[str]] = defaultdict(list)
    for kernel in CATALOGUE:
        kernels[kernel.op.kind].append(kernel.symbol)
    for row_kernel in (*cortex_m4_rows.KERNELS, *portable_rows.KERNELS):
        kernels[row_kernel.op.kind].append(row_kernel.symbol)
    lines = [
        *("# Operators", "", NOTE, "## Types", ""),
        "The instruction sets with a kernel, by the type that a layer computes with.",
        *("", *types_table(), "", "## Not compiled", ""),
        "The operators of TensorFlow Lite Micro that tinyc refuses; `tinyc check` gives the same reasons.",
        *("", *refused_table(), "", "## Kernels", "", "| operator | kernels, best first |", "|---|---|"),
    ]
    for kind in sorted([*OPS, ConvDepthwise2D.kind, PatchStage.kind, TokenBlock.kind]):
        names = ", ".join(f"`{symbol}`" for symbol in kernels[kind])
        lines.append(f"| {kind} | {names or 'removed by the passes, or rejected with its reason'} |")
    moves = {**tflite_movement.DECODERS, **tflite_space.DECODERS, **tflite_take.DECODERS}
    lines += [
        "",
        "A kernel's name is `tinyc_<op>_<dtype>[_<variant>]__<isa>`: `s8` int8, `s4` int8 with int4 weights,",
        "`u8` uint8, `f32` float32.",
        "`portable` is C99 for any chip, `cortex_m4` needs the DSP extension of ARMv7E-M or ARMv8-M,",
        "`scalar` is for cores without it, `helium` for those with vectors (Armv8.1-M MVE).",
        "Of the operators of .tflite files these become others when they are read, or constants:",
        f"{', '.join(sorted({*moves, *CONSTANTS} - OPS.keys()))}",
        "(see [data movement](../concepts/data-movement.md)).",
        f"{', '.join(sorted({op.kind for op in FloatFunction.__subclasses__()}))}",
        "become a LOOKUP in an int8 model, which has them in float32 between a DEQUANTIZE and a QUANTIZE.",
        f"{', '.join(sorted(tflite_variables.KINDS))}",
        "become [states](../concepts/state.md), and a WHILE that counts is unrolled.",
        "The layers of transformers are parts of a TOKEN_BLOCK: [transformers](../concepts/transformers.md).",
    ]
    return "\n".join(lines) + "\n"


def test_operators_are_compiled_or_refused_for_a_reason() -> None:
    assert not TAKEN & REASONS.keys()
    assert not set(MICRO) - TAKEN - REASONS.keys()


def verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """(name, command) of every verb; those of a group are named `group verb`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if any(parameter.name != "help" for parameter in command.params):
                yield f"{before}{name} OPTIONS VERB", command
            yield from verbs(command, f"{before}{name} ")
        else:
            yield before + name, command


def command_line_page() -> str:
    lines = ["# Command line", "", NOTE]
    for name, command in verbs(typer.main.get_command(app)):
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
        "| 4 | an execution differs from the reference, or a board runs another firmware than was flashed |",
        "| 70 | a bug in tinyc |",
        "",
        "Data goes to stdout, talk to stderr. `NO_COLOR` and `TINYC_NO_PROGRESS` are respected;",
        "`TINYC_CACHE_DIR` moves the cache.",
    ]
    return "\n".join(lines) + "\n"


def boards_page() -> str:
    lines = ["# Boards", "", NOTE]
    lines += [
        "| board | name | chip | core | features | MHz | flash | RAM | stack | flashed by | runs here in |"
    ]
    lines += ["|---|---|---|---|---|--:|--:|--:|--:|---|---|"]
    for board in map(load_board, board_names()):
        memory = board.memory
        sizes = (memory.application_flash, memory.application_ram, memory.stack)
        numbers = " | ".join(f"{size:,}" for size in sizes)
        lines.append(
            f"| `{board.name}` | {board.title} | {board.soc} | {board.core} "
            f"| {', '.join(sorted(board.features))} | {board.clock_hz / 1e6:g} "
            f"| {numbers} | {', '.join(board.flashing.methods)} | {', '.join(emulators(board))} |"
        )
    lines += ["", "Bytes that a bootloader keeps are not counted. A board is one file under `boards/`.", ""]
    lines += ["| feature | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in FEATURES.items()]
    lines += ["", "| core | features of which it has one set |", "|---|---|"]
    for core in sorted(CORES - {HOST}):
        sets = " or ".join(f"`{' '.join(sorted(each))}`" for each in combinations(core))
        lines.append(f"| `{core}` | {sets} |")
    return "\n".join(lines) + "\n"


def version_rules_page() -> str:
    lines = ["# Rules for versions of models", "", NOTE]
    lines += [
        "`tinyc version OLD NEW` goes through this table; the highest level that a rule finds is the answer."
    ]
    lines += ["See [versions of models](../concepts/model-versions.md).", ""]
    lines += ["| level | rule | when |", "|---|---|---|"]
    lines += [f"| {rule.level.name} | `{rule.name}` | {rule.meaning} |" for rule in RULES]
    return "\n".join(lines) + "\n"


PAGES = {
    "operators.md": operators_page,
    "cli.md": command_line_page,
    "boards.md": boards_page,
    "version-rules.md": version_rules_page,
    "ontology.md": lambda: ontology_page(NOTE),
    "registry-queries.md": lambda: queries_page(NOTE),
    "registry-formats.md": lambda: formats_page(NOTE),
}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_reference_page_is_fresh(page: str, request: pytest.FixtureRequest) -> None:
    text = PAGES[page]()
    path = REFERENCE / page
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "run `make golden`"


def test_links_lead_somewhere() -> None:
    root = REFERENCE.parents[1]
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/*/*.md")]
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken
