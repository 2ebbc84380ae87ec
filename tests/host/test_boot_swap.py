"""The bootloader's swap, the very C files, on flash that loses power at every operation."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from support import boot_sweeps
from support.boot_images import DK, SMALL
from support.boot_sweeps import FLOWS, LARGE_STEP, MODEL_FLOWS, compiled, images, models, sweep
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

SWAP, MODEL = "boot_swap_main.c", "boot_model_main.c"
SECRET = bytes(range(32))


@lru_cache(maxsize=1)
def program() -> Path:
    return compiled(find_compiler(), SWAP, SMALL)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_cut_at_every_operation(flow: str) -> None:
    """Always the right image, whole; counters never fall, requests are neither lost nor endless."""
    count = sweep(program(), flow, images(SMALL))
    print(f"{flow}: {count.operations} operations, {count.trials} trials, {count.more} second cuts")
    assert count.trials > 4 * count.operations


def test_requests_and_confirmations_word_by_word() -> None:
    assert sweep(program(), "fields", images(SMALL)).trials == 0


def test_cuts_one_after_the_other() -> None:
    """Nearly every boot loses power, until the journal has been full more than once."""
    count = sweep(program(), "hail", images(SMALL), every=1000)
    assert count.trials == 1000 and count.more > 2 * count.trials


@pytest.mark.parametrize("flow", ["revert", "permanent"])
def test_full_size_slots(flow: str) -> None:
    """The map of the board, an image of 118 pages."""
    full = images(DK)
    assert (DK.pages - 1) * DK.page < len(full[1]) <= DK.pages * DK.page
    count = sweep(compiled(find_compiler(), SWAP, DK), flow, full, every=LARGE_STEP, seconds=0)
    assert count.operations > 240_000 and count.trials >= 60


@pytest.mark.parametrize("flow", ["again", "damaged"])
def test_with_sanitizers(flow: str) -> None:
    sanitized = compiled(find_compiler(), SWAP, SMALL, sanitized=True)
    assert sweep(sanitized, flow, images(SMALL), every=61, seconds=1).trials > 300


def test_signed_images() -> None:
    """With a key in the bootloader."""
    signed = compiled(find_compiler(), SWAP, SMALL, SECRET)
    for flow in ("revert", "install"):
        assert sweep(signed, flow, images(SMALL, SECRET), every=199, seconds=0).trials >= 6
    with pytest.raises(RuntimeError, match="FAILED"):
        sweep(signed, "revert", [images(SMALL, SECRET)[0], *images(SMALL)[1:]], every=997, seconds=0)


@pytest.mark.parametrize("flow", MODEL_FLOWS)
def test_models_in_two_slots(flow: str) -> None:
    count = sweep(compiled(find_compiler(), MODEL, SMALL), flow, models(SMALL))
    print(f"{flow}: {count.operations} operations, {count.trials} trials, {count.more} second cuts")
    assert count.trials > 6 * count.operations


COPIES = {
    "saved": ("primary(page), secondary(page)", "SAVED"),
    "moved": ("secondary(page + 1u), primary(page)", "MOVED"),
    "returned": ("primary(page), secondary(page + 1u)", "RETURNED"),
    "restored": ("secondary(page), primary(page)", "RESTORED"),
}

# What is wrong: the file, a text in it, and what stands there instead.
MUTANTS = {
    "torn words count": ("journal.c", "if (word != code_word(state)) {", "if (state >> 12 == 0u) {"),
    "the old image comes back from the first page on": (
        "swap.c",
        "const uint32_t page = left - 1u;",
        "const uint32_t page = journal->pages - left;",
    ),
    "a state is not said again": (
        "swap.c",
        "journal_mark(journal, found, JOURNAL_INDEX(journal->state)); /* read once, said for good */",
        "(void)found;",
    ),
    "a final state is not settled": ("journal.c", "if (journal->settled) {", "if (journal != 0) {"),
    "a header without its CRC": ("journal.c", " || header[H_CRC] != header_crc(header)", ""),
    "the same page again": (
        "journal.c",
        "journal->page == SLOT_JOURNAL ? SLOT_JOURNAL + SLOT_PAGE_BYTES : SLOT_JOURNAL",
        "SLOT_JOURNAL",
    ),
    "a refused request stays": (
        "swap.c",
        "    journal_settle(journal);\n    flash_erase(SECONDARY_TRAILER);",
        "    journal_settle(journal);",
    ),
    "the request goes before the journal knows": (
        "swap.c",
        "    journal_roll(journal);\n    journal_mark(journal, JOURNAL_START, 0u);",
        "    erase_trailers();\n    journal_roll(journal);\n    journal_mark(journal, JOURNAL_START, 0u);",
    ),
    "a trial without a mark": ("swap.c", "    journal_mark(journal, JOURNAL_TESTED, 0u);\n", ""),
    "the copy is trusted": (
        "swap.c",
        "    if (fault != IMAGE_OK) {\n        journal->reason = fault;",
        "    if (fault == IMAGE_NO_HEADER) {\n        journal->reason = fault;",
    ),
    "an old trailer stays": (
        "swap.c",
        "    flash_erase(PRIMARY_TRAILER);\n    trailer_write(PRIMARY_END, TRAILER_COPY_DONE",
        "    trailer_write(PRIMARY_END, TRAILER_COPY_DONE",
    ),
    "the counter does not grow": (
        "swap.c",
        "if (image.counter > journal->counter) {",
        "if (image.counter > 9u) {",
    ),
    "installed from the wrong page": (
        "swap.c",
        "journal_mark(journal, JOURNAL_INSTALL, 1u)",
        "journal_mark(journal, JOURNAL_INSTALL, 0u)",
    ),
}


# Flows that fail at once; with the others "revert" does.
FIRST = {
    "a final state is not settled": "again",
    "a header without its CRC": "confirm",
    "the same page again": "hail",
    "a refused request stays": "refused",
    "the copy is trusted": "worn",
    "the counter does not grow": "downgrade",
    "installed from the wrong page": "install",
}


def caught(changed: dict[str, tuple[str, str]], first: str = "revert") -> str:
    """What the first flow that fails with this change says."""
    mutant = compiled(find_compiler(), SWAP, SMALL, changed=changed)
    for flow in (first, *FLOWS, "hail"):
        try:
            sweep(mutant, flow, images(SMALL), every=300 if flow == "hail" else 5)
        except RuntimeError as error:
            return str(error)
    raise AssertionError("no flow fails")


@pytest.mark.parametrize("step", COPIES)
def test_a_mark_before_its_copy_is_caught(step: str) -> None:
    pages, kind = COPIES[step]
    copy, mark = f"copy({pages});", f"journal_mark(journal, JOURNAL_{kind}, page);"
    text = (data_folder("firmware_templates") / "bootloader" / "swap.c").read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(copy)}\n +{re.escape(mark)}", text)
    assert found is not None
    assert "FAILED" in caught({"swap.c": (found[0], f"{mark}\n{copy}")})


@pytest.mark.parametrize("name", MUTANTS)
def test_mistakes_are_caught(name: str) -> None:
    file, old, new = MUTANTS[name]
    said = caught({file: (old, new)}, FIRST.get(name, "revert"))
    assert "FAILED" in said or "written" in said


def test_the_long_form_has_every_flow() -> None:
    text = (boot_sweeps.TESTS / "host" / SWAP).read_text(encoding="utf-8")
    assert {*re.findall(r'\{"(\w+)", flow_', text)} == {*FLOWS, "hail", "fields"}
