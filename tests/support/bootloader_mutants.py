"""Bootloaders with a mistake that only a power cut brings to light: the sweep has to catch each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from support.cut_trials import Laboratory
from support.power_cuts import Plan, Sweep
from support.update_flows import Parts, boots, flows
from tinyc.boards import Board
from tinyc.emit import bootloader as texts


@dataclass(frozen=True, slots=True)
class Mutant:
    """`change` replaces text in one file; the sweep of `flow` has to find it."""

    name: str
    file: str
    change: tuple[str, str]
    flow: str
    twice: bool = False  # only a second cut shows it


_SAVE = """            copy(primary(page), secondary(page));
            journal_mark(journal, JOURNAL_SAVED, page);
"""
_SAVE_AHEAD = """            journal_mark(journal, JOURNAL_SAVED, page);
            copy(primary(page), secondary(page));
"""
_COMMIT = "    journal_roll(journal);\n    journal_mark(journal, JOURNAL_START, 0u);\n"
_OTHER_PAGE = (
    "journal->page == SLOT_JOURNAL ? SLOT_JOURNAL + SLOT_PAGE_BYTES : SLOT_JOURNAL;\n    journal->sequence"
)
_SAME_PAGE = "journal->page == 0u ? SLOT_JOURNAL : journal->page;\n    journal->sequence"

MUTANTS = (
    Mutant("a step is noted before it is done", "swap.c", (_SAVE, _SAVE_AHEAD), "upgrade"),
    Mutant(
        "the request goes before its record",
        "swap.c",
        (_COMMIT, f"    erase_trailers();\n{_COMMIT}"),
        "upgrade",
    ),
    Mutant("torn records count", "journal.c", ("word != code_word(state)", "state == 0xFFFFu"), "revert"),
    Mutant(
        "the journal starts again in its page",
        "journal.c",
        (_OTHER_PAGE, _SAME_PAGE),
        "upgrade, full journal",
    ),
    Mutant(
        "what was read once is not said again",
        "swap.c",
        ("journal_mark(journal, found, JOURNAL_INDEX(journal->state));", "(void)found;"),
        "upgrade",
        twice=True,
    ),
    Mutant(
        "a page is finished with its first words",
        "upload.c",
        ("upload.written % SLOT_PAGE_BYTES == 0u ||", "from % SLOT_PAGE_BYTES == 0u ||"),
        "recovery",
    ),
)
PLAN = Plan(stride=300, seeds=1, levels=0)
TWICE = Plan(stride=3000, seeds=2, second=1, levels=1)
_STEP = 100  # operations


@contextmanager
def _mutated(mutant: Mutant) -> Iterator[None]:
    """The bootloader that is built has the mistake."""
    render, old, new = texts.render, *mutant.change

    def mutated(board: Board, boot_key: str, toolchain: str = "zig") -> Mapping[str, str]:
        files, path = dict(render(board, boot_key, toolchain)), f"src/{mutant.file}"
        if files[path].count(old) != 1:
            raise ValueError(f"{mutant.name}: the text is not in {mutant.file} once")
        return {**files, path: files[path].replace(old, new)}

    texts.render = mutated
    try:
        yield
    finally:
        texts.render = render


def caught(mutant: Mutant, parts: Parts) -> bool:
    """Whether the sweep finds the mistake. Prints by what."""
    with _mutated(mutant):
        parts = replace(parts, boot=boots())
    laboratory = Laboratory()
    flow = next(flow for flow in flows(parts, laboratory) if flow.name == mutant.flow)
    sweep = Sweep(flow, TWICE if mutant.twice else PLAN, laboratory)
    for first in range(0, len(flow.operations), _STEP):
        if sweep.run(slice(first, first + _STEP)).defects:
            break
    tally = sweep.tally
    by = f"caught by {tally.defects[0]}" if tally.defects else "MISSED"
    print(f"mistake `{mutant.name}`, {tally.cuts + tally.again} cuts: {by}", flush=True)
    return bool(tally.defects)
