"""The 6LoWPAN receive path under attack beside what others do, and whether it does what is wanted of it.

    benchmarks/sixlowpan.py --json FILE      {mode: {attack: {"delivery", "wrong", "attacker_ram", ...}}}
    benchmarks/sixlowpan.py --update-docs    writes docs/reference/sixlowpan-figures.md

Runs two processes. `--modes` and `--attacks` take names, separated by commas; with `--attacks` the further
tables (losses, many senders, sizes, rates) are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import sixlowpan_report as report
import sixlowpan_runs as runs
import sixlowpan_tables as tables
from sixlowpan_runs import Case
from tinyc.sixlowpan.simulation.summary import Row

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "reference" / "sixlowpan-figures.md"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run."""

    modes: tuple[str, ...]
    attacks: tuple[str, ...]
    seeds: int
    seconds: float
    further: bool


def arguments() -> tuple[argparse.Namespace, Wanted]:
    """Of the command line. Exits with status 2 for names that are not known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="write the further tables as JSON")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write sixlowpan.html")
    parser.add_argument("--update-docs", action="store_true", help=f"write {DOCS.relative_to(ROOT)}")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="runs of each case (default 5)")
    parser.add_argument("--seconds", type=float, default=30, metavar="S", help="of each run (default 30)")
    parser.add_argument("--modes", metavar="NAMES", help=", ".join(runs.modes()))
    parser.add_argument("--attacks", metavar="NAMES", help=", ".join(runs.attacks()))
    given = parser.parse_args()
    chosen = []
    for option, text, known in (
        ("--modes", given.modes, runs.modes()),
        ("--attacks", given.attacks, runs.attacks()),
    ):
        names = tuple(text.split(",")) if text else known
        if unknown := sorted(set(names) - set(known)):
            parser.error(f"{option}: no {', '.join(unknown)} here; there are {', '.join(known)}")
        chosen.append(names)
    if given.seeds < 1 or given.seconds <= 0:
        parser.error("--seeds and --seconds: more than nothing")
    return given, Wanted(chosen[0], chosen[1], given.seeds, given.seconds, not given.attacks)


def measure(wanted: Wanted) -> tuple[dict[str, dict[str, Row]], tables.Further | None]:
    """The rows by mode and attack, and the further tables."""
    main = {
        (mode, attack): Case(mode, attack, wanted.seconds)
        for mode in wanted.modes
        for attack in wanted.attacks
    }
    extra = tables.cases(wanted.modes, wanted.seconds) if wanted.further else []
    found = runs.run_all([*main.values(), *extra], wanted.seeds)
    rows: dict[str, dict[str, Row]] = {mode: {} for mode in wanted.modes}
    for (mode, attack), case in main.items():
        rows[mode][attack] = found[case]
    return rows, tables.further(wanted.modes, wanted.seconds, found) if wanted.further else None


def main() -> int:
    """Prints the tables; status 1 if something that is wanted is not met."""
    given, wanted = arguments()
    started = time.monotonic()
    costs = report.costs()
    rows, further = measure(wanted)
    bars = report.bars(rows, further, costs)
    text = report.tables_text(rows, further, costs, wanted.seeds, wanted.seconds)
    print(text)
    print(report.bars_text(bars))
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if given.tables and further is not None:
        given.tables.write_text(json.dumps(report.plain(further, costs), indent=1) + "\n", encoding="utf-8")
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)
        page = report.plots(rows, further, wanted.seeds, wanted.seconds)
        (given.plots / "sixlowpan.html").write_text(page, encoding="utf-8")
    if given.update_docs:
        DOCS.write_text(report.document(text, report.bars_text(bars)), encoding="utf-8")
    return 0 if all(bar.met is not False for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
