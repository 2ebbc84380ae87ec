"""Heads in flash, the very C file on simulated flash: cuts, wrong bits, worn pages, wear."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from support import learners
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

MAIN = "learn_store_main.c"
# Heads that share a page, that fill one, that take two pages, and two that must do with two units.
SIZES: dict[str, dict[str, Any]] = {
    "shared pages": {"latent": 4, "capacity": 4, "page": 512, "pages": 4},
    "one each": {"latent": 6, "capacity": 5, "page": 384, "pages": 3},
    "two pages each": {"latent": 6, "capacity": 5, "page": 192, "pages": 8},
    "two units": {"latent": 4, "capacity": 4, "page": 256, "pages": 2},
}


@lru_cache(maxsize=8)
def program(name: str, changed: tuple[str, str] | None = None, sanitized: bool = False) -> Path:
    case = learners.case(**SIZES[name])
    layout = case.safety.layout(case.design)
    assert layout is not None
    shape = (layout.records_per_page > 1, layout.pages_per_record, layout.units)
    wanted = {
        "shared pages": (True, 1, 4),
        "one each": (False, 1, 3),
        "two pages each": (False, 2, 4),
        "two units": (False, 1, 2),
    }
    assert shape == wanted[name]
    compiler, where = find_compiler(), None if changed is None else ("learn_store.c", *changed)
    return learners.compiled(
        compiler,
        case,
        MAIN,
        store_only=True,
        changed=where,
        sanitized=sanitized,
        flags=(f"-DTEST_UNITS={layout.units}",),
    )


def sweep(path: Path, flow: str, count: int, seed: int = 1) -> list[int]:
    output = learners.run(path, flow, str(seed), str(count)).decode()
    print(output)
    return [int(number) for number in re.findall(r"\d+", output)]


@pytest.mark.parametrize("name", SIZES)
def test_a_cut_at_every_operation_leaves_the_old_or_the_new_head(name: str) -> None:
    """Promotions, reverts and tombstones; a third of the cuts is followed by another one."""
    operations, trials, seconds = sweep(program(name), "cuts", 8)
    assert operations > 200 and trials > 10 * operations and seconds > operations


def test_cuts_under_sanitizers() -> None:
    assert sweep(program("shared pages", sanitized=True), "cuts", 3)[1] > 1000


# What is wrong: a text in learn_store.c, and what stands there instead.
MUTANTS = {
    "a record is not settled": ("    settle(store->newest_at);\n", ""),
    "the payload is not looked at": (" &&\n           payload_is_right(place, header);", ";"),
    "a record counts before its commit": (
        "(flash_word(at + COMMIT_AT) == COMMIT || flash_word(at + SETTLED_AT) == SETTLED) &&",
        "flash_word(at) == MAGIC &&",
    ),
    "the active head's page is erased": (
        "if (!is_free(store, place)) {",
        "if (!is_free(store, place) && place == PLACES) {",
    ),
    "a start goes on in the same page": (
        "(highest_at / PER_UNIT + 1u) % UNITS * PER_UNIT",
        "(highest_at + 1u) % PLACES",
    ),
    "last-good is what was reverted": ("is_return || UNITS < 3u", "(is_return && UNITS < 2u) || UNITS < 3u"),
    "what was written is not read": (
        "if (!read_header(place, read) || memcmp(read, header, sizeof read) != 0 || "
        "!payload_is_right(place, header)) {",
        "if (!read_header(place, read)) {",
    ),
}

OTHER_FLOWS = {
    "what was written is not read": ("shared pages", "worn", 500),
    "the payload is not looked at": ("shared pages", "bits", 5),
    "the active head's page is erased": ("one each", "worn", 500),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_sweeps_notice(name: str) -> None:
    size, flow, count = OTHER_FLOWS.get(name, ("shared pages", "cuts", 8))
    with pytest.raises(RuntimeError, match=r"FAILED|flash: "):
        sweep(program(size, MUTANTS[name]), flow, count)


@pytest.mark.parametrize("name", ["shared pages", "one each"])
def test_any_wrong_bit_is_noticed(name: str) -> None:
    """Never a head that was not saved; a bit of the newest record costs that one, not the one before."""
    bits, lost = sweep(program(name), "bits", 5)
    case = learners.case(**SIZES[name])
    layout = case.safety.layout(case.design)
    assert layout is not None and bits == 8 * layout.region.page * layout.region.pages
    assert 8 * case.design.state_bytes <= lost <= 8 * layout.record_bytes


@pytest.mark.parametrize("name", ["shared pages", "one each", "two pages each"])
def test_a_hundred_thousand_saves_wear_all_pages_alike(name: str) -> None:
    erases = sweep(program(name), "wear", 100_000)
    case = learners.case(**SIZES[name])
    layout = case.safety.layout(case.design)
    assert layout is not None and len(erases) == layout.region.pages
    assert (max(erases) - min(erases)) / min(erases) <= 0.10
    assert sum(erases) >= 100_000 * layout.pages_per_record / layout.records_per_page


@pytest.mark.parametrize("name", SIZES)
def test_worn_pages_are_passed_over(name: str) -> None:
    """What was saved is there; where nothing could be, what was there before is."""
    (refused,) = sweep(program(name), "worn", 2000)
    assert refused <= 700
