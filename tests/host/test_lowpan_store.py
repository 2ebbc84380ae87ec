"""Counters of keyed chains over restarts and power cuts: no epoch twice, no counter of a peer taken again."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyc.sixlowpan.emit_node import node_texts
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

MAIN = Path(__file__).with_name("lowpan_store_main.c")
PEERS, STEP, CUT = 8, 31, 7
NEVER = 0
Lines = list[tuple[int, int, int, int]]
Boot = Callable[..., tuple[int, list[int]] | None]


@pytest.fixture(scope="module")
def program() -> Path:
    compiler = find_compiler()
    texts = node_texts(LowpanSettings(), store=0)
    needed = ("lowpan_store.c", "lowpan_store.h", "lpc.h", "lpc_address.h", "lpc_config.h", "iphc.h")
    chosen = {name: texts[name] for name in needed} | {"main.c": MAIN.read_text(encoding="utf-8")}
    flags = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, chosen, flags, "store")


@pytest.fixture
def boot(program: Path, tmp_path: Path) -> Boot:
    """`boot(lines, cut)`: epoch and resumed counters of a run, None where power went before it told them."""

    def run(lines: Lines | None = None, cut: int = NEVER) -> tuple[int, list[int]] | None:
        text = "".join(f"{' '.join(map(str, line))}\n" for line in lines or [])
        done = subprocess.run(
            [program, tmp_path / "pages", str(cut)], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode in ((0, CUT) if cut else (0,)), done.stderr[-3000:]
        if not done.stdout:
            return None
        epoch, *tops = map(int, done.stdout.split())
        return epoch, tops

    return run


def test_each_start_has_an_epoch_of_its_own(boot: Boot) -> None:
    for expected in range(5):
        assert boot() == (expected, [0] * PEERS)


def test_counters_of_peers_are_resumed_at_the_end_of_their_step(boot: Boot) -> None:
    boot([(2, 5, 1000, 0), (7, 0x30007, 2000, 0)])
    assert boot() == (1, [0, 0, STEP, 0, 0, 0, 0, 0x30000 + STEP])
    # Within the step nothing is written, beyond it there is.
    boot([(2, 20, 1000, 1), (2, 31, 3000, 1)])
    found = boot([(2, 32, 1000, 3)])
    assert found is not None
    assert found[1][2] == STEP
    found = boot()
    assert found is not None
    assert found[1][2] == 63


def test_at_most_one_record_a_second(boot: Boot) -> None:
    boot([(0, 100 * i + 100, 1000 + i, 0) for i in range(50)])
    found = boot()
    assert found is not None
    assert found[1][0] == 100 | STEP


def test_an_epoch_that_the_node_has_reached_counts(boot: Boot) -> None:
    boot([(0, 0, 1000, 9)])
    found = boot()
    assert found is not None
    assert found[0] == 10


def test_power_cuts_repeat_no_epoch_and_give_no_counter_back(boot: Boot) -> None:
    """Thousands of records, so that pages are moved; most runs end in the middle of an operation."""
    rng = random.Random(2)
    used, tops, sure = -1, [0] * PEERS, [0] * PEERS
    for round_ in range(120):
        lines, now = [], 0
        plan = list(tops)
        for _ in range(rng.randrange(40)):
            now += 1000
            peer = rng.randrange(PEERS)
            plan[peer] += rng.randrange(1, 200)
            lines.append((peer, plan[peer], now, 0))
        cut = rng.randrange(1, 60) if round_ % 4 else NEVER
        # Epochs that the node reaches are its own plus one at most.
        lines = [(peer, top, at, used + 1) for peer, top, at, _ in lines]
        found = boot(lines, cut)
        if found is None:
            continue
        epoch, resumed = found
        assert epoch > used
        used = max(epoch, used + 1)
        assert all(got >= least for got, least in zip(resumed, sure, strict=True)), (round_, resumed, sure)
        tops = [max(had, got) for had, got in zip(plan, resumed, strict=True)]
        if cut == NEVER:
            # One record a second was possible: what came is written, the last perhaps a step behind.
            sure = [got & ~STEP if got else 0 for got in resumed]
