"""Power cuts in everything that a learner does to flash: the compiler's firmware on the emulated chip.

    PYTHONPATH=tests python -m support.learn_cuts            every operation, every mode
    PYTHONPATH=tests python -m support.learn_cuts --every 9  every ninth word, and all erases and last words

A cut is followed by three starts: after power-on, after a reset, after power-on again. In each the device has
to answer with the head of before or of after, number by number, and once it was the new one it stays so. Some
of the trials then load another head, and some lose power once more while they do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support import learn_models
from support.learn_builds import LearnBuilds
from support.learn_session import Session
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.learned import Outcome
from tinyc.device.learning import Learner as Remote
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.flash import Cut, FlashImage, Kind, Mode, Operation
from tinyc.emulator.peripheral import Reset
from tinyc.emulator.power import History, Recorder

_LAST = 4  # words: of the header's end, COMMIT and SETTLED
_PAGES_WALKED = 10


@dataclass(frozen=True, slots=True)
class Flow:
    """What was recorded, and the exports of the head before and after it."""

    name: str
    history: History
    old: bytes
    new: bytes

    def other(self, head: bytes) -> bytes:
        return self.old if head == self.new else self.new

    def cuts(self, every: int, seeds: int) -> Iterator[tuple[Cut, FlashImage]]:
        """All modes at each operation; of the words of data at every so many."""
        operations = self.history.operations
        writes = [operation.number for operation in operations if operation.kind is Kind.WRITE]
        wanted = {*writes[::every], *writes[:2], *writes[-_LAST:]}

        def plan(operation: Operation) -> Iterator[Cut]:
            if operation.kind is Kind.SETTLE:
                return
            if operation.kind is Kind.WRITE and operation.number not in wanted:
                return
            if operation.number == operations[0].number:
                yield Cut(operation.number, Mode.BEFORE)
            for mode in (Mode.AFTER, Mode.FIRST_HALF, Mode.SECOND_HALF):
                if mode.applies_to(operation.kind):
                    yield Cut(operation.number, mode)
            for seed in range(seeds):
                yield Cut(operation.number, Mode.TORN, seed)
                yield Cut(operation.number, Mode.TORN, seed, True)

        return self.history.planned(plan)


@dataclass(slots=True)
class Tally:
    operations: int = 0
    cuts: int = 0
    again: int = 0
    starts: int = 0
    defects: list[str] = field(default_factory=list)


def record(builds: LearnBuilds) -> list[Flow]:
    """A first promotion, heads that are loaded until pages are used again, and the ways back."""
    session = Session(builds.program(), builds.firmware())
    size = session.remote.learned().shape.bytes
    body = session.learning.safety.body_hash
    flows: list[Flow] = []

    def keep(name: str, action: Callable[[], object]) -> None:
        old = session.remote.head(size)
        recorder = Recorder(session.machine.flash_array)
        action()
        flows.append(Flow(name, recorder.history(), old, session.remote.head(size)))

    def sequence() -> int:
        return session.remote.learned().kept.sequence

    for name in ("wave", "clap"):
        session.name(name)
    samples = learn_models.samples((5, 6, 0, 5, 6, 3), 6, 11)
    for vector, label in zip(samples.inputs, samples.labels, strict=True):
        old, recorder = session.remote.head(size), Recorder(session.machine.flash_array)
        session.teach(vector.reshape(1, 12, 10, 1), int(label))
        history = recorder.history()
        if history.operations:
            flows.append(Flow("promotion", history, old, session.remote.head(size)))
            break
    assert flows
    # Held-out samples would forbid the factory's head; they go with the power.
    session.restart()
    factory, learned = flows[0].old, session.remote.head(size)
    keep("another page", lambda: session.remote.load(factory, body, sequence()))
    keep("same page", lambda: session.remote.load(learned, body, sequence()))
    keep("revert to last-good", lambda: session.remote.revert(sequence()))
    for step in range(_PAGES_WALKED):
        session.restart()
        head = (learned, factory)[step % 2]
        keep("page used before", lambda h=head: session.remote.load(h, body, sequence()))  # type: ignore[misc]
        if step < _PAGES_WALKED - 1:
            flows.pop()
    session.remote.load(learned, body, sequence())
    keep("forgotten", lambda: session.remote.factory(sequence()))
    session.close()
    assert all(flow.old != flow.new for flow in flows)
    return flows


class Laboratory:
    """A machine that is started from what cuts left behind."""

    def __init__(self, builds: LearnBuilds) -> None:
        program = builds.program()
        assert program.learning is not None
        self.body = program.learning.safety.body_hash
        self.size = 0
        self.machine = Machine(builds.firmware().elf, program.board, flash_rules=FlashRules(strict=True))
        self.tally = Tally()

    def _remote(self) -> Remote:
        return Remote(DeviceClient(self.machine.transport))

    def _start(self, image: FlashImage | None, boot: int) -> bytes:
        """The head that answers after power-on from `image`."""
        self.tally.starts += 1
        self.machine.line.from_device.clear()
        self.machine.power_cycle(image, boot=boot)
        return self._remote().head(self.size)

    def _reset(self) -> bytes:
        self.tally.starts += 1
        self.machine.line.from_device.clear()
        self.machine.reset(Reset.PIN)
        return self._remote().head(self.size)

    def _load(self, head: bytes) -> Outcome:
        remote = self._remote()
        return remote.load(head, self.body, remote.learned().kept.sequence).outcome

    def trial(
        self, image: FlashImage, flow: Flow, boot: int, *, goes_on: bool = False, ordered: bool = True
    ) -> str | None:
        """What is wrong, if anything. `goes_on`: the other head is loaded afterwards. `ordered`: what was new
        once stays so."""
        allowed = [flow.old, flow.new]
        try:
            seen = [self._start(image, boot), self._reset(), self._start(None, boot + 1)]
            if any(head not in allowed for head in seen):
                return "neither the old nor the new head"
            order = [allowed.index(head) for head in seen]
            if ordered and order != sorted(order):
                return "a new head that goes away"
            if goes_on:
                other = flow.other(seen[-1])
                outcome = self._load(other)
                if outcome is not Outcome.PROMOTED or self._reset() != other:
                    return f"nothing can be saved afterwards: {outcome.name}"
        except (EmulatedFault, ProtocolError) as error:
            return str(error)
        return None

    def cut_again(self, image: FlashImage, flow: Flow, boot: int, number: int) -> str | None:
        """The start after a cut loads the other head, and loses power at some operation of that."""
        try:
            head = self._start(image, boot)
            recorder = Recorder(self.machine.flash_array)
            self._load(flow.other(head))
            history = recorder.history()
        except (EmulatedFault, ProtocolError) as error:
            return str(error)
        writes = [each for each in history.operations if each.kind is not Kind.SETTLE]
        chosen = writes[(number * 37) % len(writes)] if number % 3 else writes[-1 - number % _LAST]
        cut = Cut(chosen.number, (Mode.TORN, Mode.AFTER)[number % 2], number, number % 4 == 0)
        self.tally.again += 1
        return self.trial(history.image(cut), flow, boot + 7, ordered=False)

    def sweep(self, flow: Flow, every: int = 1, seeds: int = 2, one_in: int = 12) -> Tally:
        """Cut a flow; one trial in so many goes on, and as many are cut again."""
        self.tally = Tally(sum(each.kind is not Kind.SETTLE for each in flow.history.operations))
        self.size = len(flow.old)
        for number, (cut, image) in enumerate(flow.cuts(every, seeds)):
            self.tally.cuts += 1
            boot = 1 + number % 5
            defect = self.trial(image, flow, boot, goes_on=number % one_in == 0)
            if defect is None and number % one_in == 1:
                defect = self.cut_again(image, flow, boot, number)
            if defect is not None:
                self.tally.defects.append(f"{flow.name}: {cut}: {defect}")
        return self.tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="of the words of data, so many")
    parser.add_argument("--seeds", type=int, default=2, help="ways to tear")
    options = parser.parse_args()
    total = Tally()
    with tempfile.TemporaryDirectory() as folder:
        builds = LearnBuilds(Path(folder))
        laboratory = Laboratory(builds)
        print(f"{'flow':26}{'operations':>11}{'cuts':>8}{'again':>8}{'starts':>8}{'defects':>9}")
        for flow in record(builds):
            tally = laboratory.sweep(flow, options.every, options.seeds)
            print(
                f"{flow.name:26}{tally.operations:>11}{tally.cuts:>8}{tally.again:>8}{tally.starts:>8}"
                f"{len(tally.defects):>9}",
                flush=True,
            )
            total.cuts += tally.cuts + tally.again
            total.defects += tally.defects
    print("\n".join(total.defects[:20]))
    print(f"{total.cuts} cuts, {len(total.defects)} defects")
    return len(total.defects) > 0


if __name__ == "__main__":
    sys.exit(main())
