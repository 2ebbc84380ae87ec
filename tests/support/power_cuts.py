"""Power cuts in everything that tinyc's bootloader and updates do to flash. `make powercut` is the long form.

    python -m support.power_cuts                     every operation, every mode
    python -m support.power_cuts --sample 50         every 50th word of image data, all the rest
    python -m support.power_cuts --flow upgrade --operation 4210 --mode torn --seed 1

A second cut, in what the first boot does after the first one, is told by a second --operation, --mode and
--seed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.cut_trials import Laboratory, Result
from support.update_flows import Flow, Parts, after_second_cut, build, flows
from tinyc.device.errors import ProtocolError
from tinyc.emulator import EmulatedFault
from tinyc.emulator.flash import Cut, FlashImage, Kind, Mode, Operation
from tinyc.emulator.power import History

UNSTABLE = "unstable"
MODES = (*(mode.value for mode in Mode), UNSTABLE)
_TASK = 400  # operations
_UPDATED_WORDS = 1000  # cuts of one word in so many end with another update
_ENDS = 8  # operations
_SHOWN = 20  # defects


@dataclass(frozen=True, slots=True)
class Plan:
    """Which cuts are made. Of the words of image data every `stride`th one is cut, torn in `bulk_seeds` ways.

    The other operations are cut in all modes, torn in `seeds` ways: all of them, or with `others` the first
    and last few and every so many between them. One trial in `updates` ends with another update. `second`: in
    one of so many of their cuts the first boot afterwards is cut again, to the depth of `levels`.
    """

    stride: int = 1
    bulk_seeds: int = 1
    seeds: int = 2
    others: int = 1
    updates: int = 7
    second: int = 12
    levels: int = 2

    def cuts(self, flow: Flow, operation: Operation) -> Iterator[Cut]:
        number, bulk = operation.number, flow.is_bulk(operation)
        if operation.kind is Kind.SETTLE or (bulk and number % self.stride):
            return
        ends = min(number - flow.operations[0].number, flow.operations[-1].number - number) < _ENDS
        if not bulk and not ends and number % self.others:
            return
        if number == flow.operations[0].number:
            yield Cut(number, Mode.BEFORE)
        seeds = self.bulk_seeds if bulk else self.seeds
        for mode in (Mode.AFTER, Mode.FIRST_HALF, Mode.SECOND_HALF):
            if mode.applies_to(operation.kind):
                yield Cut(number, mode)
        for seed in range(seeds):
            yield Cut(number, Mode.TORN, seed)
            yield Cut(number, Mode.TORN, seed, True)


def is_chosen(cut: Cut, one_in: int) -> bool:
    """The same choice in every run, spread over operations and modes."""
    mixed = (cut.number * 7919 + MODES.index(cut.mode.value) * 31 + cut.seed * 101 + cut.unstable * 3) >> 1
    return mixed % one_in == 0


def mode_name(cut: Cut) -> str:
    """What --mode calls it."""
    return UNSTABLE if cut.unstable else cut.mode.value


def boot_number(cut: Cut, level: int) -> int:
    """Chooses what RAM and torn cells hold: few numbers, so that trials have much in common."""
    return 1 + 10 * cut.seed * cut.unstable + 100 * level


@dataclass(frozen=True, slots=True)
class Defect:
    flow: str
    cuts: tuple[Cut, ...]
    result: Result

    def __str__(self) -> str:
        where = " ".join(
            f"--operation {cut.number} --mode '{mode_name(cut)}' --seed {cut.seed}" for cut in self.cuts
        )
        return f"--flow '{self.flow}' {where}: {self.result.defect}"


@dataclass(slots=True)
class Tally:
    """What a sweep has counted; `joined` trials ended like an earlier one from the same state."""

    operations: int = 0
    cuts: int = 0
    again: int = 0
    boots: int = 0
    joined: int = 0
    updates: int = 0
    defects: list[Defect] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.operations += other.operations
        self.cuts += other.cuts
        self.again += other.again
        self.boots += other.boots
        self.joined += other.joined
        self.updates += other.updates
        self.defects += other.defects

    def row(self, name: str) -> str:
        results = [defect.result for defect in self.defects]
        bricks, wrong = sum(found.brick for found in results), sum(found.wrong for found in results)
        installs, others = sum(found.installed for found in results), len(results)
        return (
            f"{name:22}{self.operations:>10}{self.cuts:>8}{self.again:>8}{self.boots:>9}{self.updates:>8}"
            f"{bricks:>7}{wrong:>7}{installs:>9}{others:>8}"
        )


HEAD = (
    f"{'flow':22}{'operations':>10}{'cuts':>8}{'again':>8}{'boots':>9}{'updates':>8}"
    f"{'bricks':>7}{'wrong':>7}{'installs':>9}{'defects':>8}"
)


class Sweep:
    """Cuts of one flow, in one laboratory."""

    def __init__(self, flow: Flow, plan: Plan, laboratory: Laboratory) -> None:
        self.flow, self.plan, self.laboratory = flow, plan, laboratory
        self.tally = Tally()

    def run(self, operations: slice = slice(None)) -> Tally:
        """Cut these operations."""
        chosen = self.flow.operations[operations]
        wanted = {operation.number for operation in chosen}
        counts = self.laboratory.counts
        before = replace(counts)

        def plan(operation: Operation) -> Iterable[Cut]:
            return self.plan.cuts(self.flow, operation) if operation.number in wanted else ()

        self.tally.operations += len(chosen)
        for cut, image in self.flow.history.planned(plan):
            self.tally.cuts += 1
            bulk = self.flow.is_bulk(self.flow.operations[cut.number])
            update = cut.number % _UPDATED_WORDS == 0 if bulk else is_chosen(cut, self.plan.updates)
            self._try((cut,), image, self.flow.pattern(cut), update)
            if self.plan.levels and is_chosen(cut, self.plan.second * (100 if bulk else 1)):
                self._again((cut,), image, self.flow.pattern(cut))
        self.tally.boots += counts.boots - before.boots
        self.tally.joined += counts.joined - before.joined
        self.tally.updates += counts.uploads - before.uploads
        return self.tally

    def _try(self, cuts: tuple[Cut, ...], image: FlashImage, pattern: str, update: bool) -> None:
        script = self.flow.script(cuts[0], update=update, pattern=pattern if len(cuts) > 1 else None)
        result = self.laboratory.trial(image, script, boot_number(cuts[-1], len(cuts)))
        if result.defect is not None:
            self.tally.defects.append(Defect(self.flow.name, cuts, result))

    def _again(self, cuts: tuple[Cut, ...], image: FlashImage, pattern: str) -> None:
        """Cut what happens after a cut."""
        history = self.boot_after(cuts, image)
        if history is None:
            return
        changed = pattern_again(self.flow, pattern)
        for number, (cut, left) in enumerate(history.planned(self._second_cuts(history, cuts[-1].number))):
            self.tally.again += 1
            now = after_second_cut(changed, history, cut)
            self._try((*cuts, cut), left, now, is_chosen(cut, 3 * self.plan.updates))
            if len(cuts) < self.plan.levels and number % 60 == 0:
                self._again((*cuts, cut), left, now)

    def boot_after(self, cuts: tuple[Cut, ...], image: FlashImage) -> History | None:
        try:
            return self.laboratory.record(image, boot_number(cuts[-1], len(cuts)), self.flow.resumes)
        except (EmulatedFault, ProtocolError, RuntimeError):
            return None  # the trial without another cut says what is wrong

    def _second_cuts(self, history: History, turn: int) -> Callable[[Operation], Iterable[Cut]]:
        """One mode in turn, at every fourth operation that is not image data and at a few of those."""
        others = [operation.number for operation in history.operations if not self.flow.is_bulk(operation)]
        chosen = {*others[turn % 4 :: 4], *range(turn % 1200, len(history.operations), 1200)}

        def plan(operation: Operation) -> Iterator[Cut]:
            number = operation.number
            if operation.kind is Kind.SETTLE or number not in chosen:
                return
            turns = [Cut(number, Mode.AFTER), Cut(number, Mode.TORN, 0), Cut(number, Mode.TORN, 1, True)]
            if operation.kind is Kind.ERASE:
                turns[0] = Cut(number, Mode.FIRST_HALF)
            yield turns[(number + turn) % 3]

        return plan


def pattern_again(flow: Flow, pattern: str) -> str:
    """An upload goes on after the first cut, and may be complete at the second."""
    return flow.unsure if flow.resumes is not None and flow.unsure else pattern


# All of it.

_FLOWS: list[Flow] = []
_LABORATORIES: list[Laboratory] = []


def _task(task: tuple[int, Plan, int, int]) -> tuple[int, Tally]:
    number, plan, first, last = task
    if not _LABORATORIES:
        _LABORATORIES.append(Laboratory())
    return number, Sweep(_FLOWS[number], plan, _LABORATORIES[0]).run(slice(first, last))


def sweep_all(
    chosen: Sequence[Flow], plan: Plan, workers: int, minutes: float = float("inf")
) -> tuple[list[Tally], bool]:
    """Sweep these flows in several processes, and whether that took less than `minutes`.

    Prints how far it is.
    """
    _FLOWS[:] = chosen
    size = _TASK * min(10, plan.stride)
    tasks = [
        (number, plan, first, first + size)
        for number, flow in enumerate(chosen)
        for first in range(0, len(flow.operations), size)
    ]
    tallies = [Tally() for _ in chosen]
    start, done, lines = time.monotonic(), 0, sys.stderr.isatty()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for number, tally in pool.imap_unordered(_task, tasks):
            tallies[number].add(tally)
            done += 1
            total = Tally()
            for found in tallies:
                total.add(found)
            cuts, took = total.cuts + total.again, time.monotonic() - start
            text = f"{done}/{len(tasks)} parts, {cuts} cuts, {len(total.defects)} defects, {took:.0f} s"
            print(text, end="\r" if lines else "\n", file=sys.stderr, flush=True)
            if time.monotonic() - start > 60 * minutes:
                break
    return tallies, done == len(tasks)


def report(chosen: Sequence[Flow], tallies: Sequence[Tally]) -> Tally:
    """Print the counts; returns their sum."""
    total = Tally()
    print(HEAD)
    for flow, tally in zip(chosen, tallies, strict=True):
        print(tally.row(flow.name))
        total.add(tally)
    print(total.row("all"))
    for defect in total.defects[:_SHOWN]:
        print(defect)
    if len(total.defects) > _SHOWN:
        print(f"and {len(total.defects) - _SHOWN} more")
    return total


def recorded(parts: Parts, names: Sequence[str] = ()) -> list[Flow]:
    """The flows with these names, or all."""
    found = list(flows(parts, Laboratory()))
    return [flow for flow in found if not names or flow.name in names]


def single(flow: Flow, cuts: Sequence[Cut]) -> Result:
    """One trial, without joining any other, with an update at its end."""
    laboratory = Laboratory()
    sweep = Sweep(flow, Plan(), laboratory)
    image, pattern = flow.history.image(cuts[0]), flow.pattern(cuts[0])
    for level, cut in enumerate(cuts[1:], 1):
        history = sweep.boot_after(tuple(cuts[:level]), image)
        if history is None:
            raise ValueError(f"nothing to cut after {cuts[level - 1]}")
        pattern = after_second_cut(pattern_again(flow, pattern), history, cut)
        image = history.image(cut)
    script = flow.script(cuts[0], update=True, pattern=pattern if len(cuts) > 1 else None)
    return laboratory.trial(image, script, boot_number(cuts[-1], len(cuts)), join=False)


def _cuts(options: argparse.Namespace) -> list[Cut]:
    modes = options.mode + [Mode.AFTER.value] * len(options.operation)
    seeds = options.seed + [0] * len(options.operation)
    return [
        Cut(number, Mode.TORN if mode == UNSTABLE else Mode(mode), seed, mode == UNSTABLE)
        for number, mode, seed in zip(options.operation, modes, seeds, strict=False)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flow", action="append", default=[])
    parser.add_argument("--operation", action="append", type=int, default=[])
    parser.add_argument("--mode", action="append", choices=MODES, default=[])
    parser.add_argument("--seed", action="append", type=int, default=[])
    parser.add_argument("--sample", type=int, default=1, help="cut every so many words of image data")
    parser.add_argument("--seeds", type=int, default=2, help="ways to tear what is not image data")
    parser.add_argument("--second", type=int, default=12, help="cut one in so many first boots again")
    parser.add_argument("--levels", type=int, default=2, help="how many cuts may follow a first one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many, and fail")
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--mutants", action="store_true", help="only the bootloaders that have to be caught")
    options = parser.parse_args()
    from support.bootloader_mutants import MUTANTS, caught

    with tempfile.TemporaryDirectory() as folder:
        parts = build(Path(folder))
        if options.mutants:
            missed = [mutant.name for mutant in MUTANTS if not caught(mutant, parts)]
            return int(bool(missed))
        chosen = recorded(parts, options.flow)
        if not chosen:
            parser.error(f"no such flow: {', '.join(options.flow)}")
        if options.operation:
            result = single(chosen[0], _cuts(options))
            print(f"boots {result.seen!r}: {result.defect or 'as it should be'}")
            return int(result.defect is not None)
        start = time.monotonic()
        plan = Plan(options.sample, seeds=options.seeds, second=options.second, levels=options.levels)
        tallies, complete = sweep_all(chosen, plan, options.workers, options.minutes)
        total = report(chosen, tallies)
        print(
            f"{total.cuts + total.again} cuts in {time.monotonic() - start:.0f} s; "
            f"{total.joined} trials joined others"
        )
        without = options.flow or options.no_mutants
        missed = [] if without else [mutant.name for mutant in MUTANTS if not caught(mutant, parts)]
        if not complete:
            print("stopped: not all has been cut")
        return int(bool(total.defects or missed or not complete))


if __name__ == "__main__":
    raise SystemExit(main())
