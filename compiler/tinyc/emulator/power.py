"""Power cuts: what a flow does to the flash, and what every cut of it leaves behind.

A flow is recorded once, undisturbed; the images of all its cuts follow without emulation:

    machine = Machine(flash, board)
    recorder = Recorder(machine.flash_array)
    machine.run()
    for cut, image in recorder.history().cuts():
        Machine(image, board).run()  # boots what the cut left behind
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tinyc.emulator.flash import Cut, FlashArray, FlashImage, Mode, Operation


@dataclass(frozen=True, slots=True)
class History:
    """The flash before the first operation, and the operations in their order."""

    origin: int
    start: FlashImage
    operations: tuple[Operation, ...]

    def _replay(self, image: FlashImage, number: int) -> FlashArray:
        array = FlashArray(self.origin, memoryview(bytearray(len(self.start.content))), image)
        array.count = number
        return array

    def _before(self, number: int | None = None) -> FlashArray:
        """The flash just before operation `number`, or after all."""
        first = self.operations[0].number if self.operations else 0
        array = self._replay(self.start, first)
        for operation in self.operations[: None if number is None else number - first]:
            array.perform(operation)
        return array

    def end(self) -> FlashImage:
        """The flash after all operations."""
        return self._before().image()

    def image(self, cut: Cut) -> FlashImage:
        """What `cut` leaves behind."""
        return self._cut(
            self._before(cut.number), self.operations[cut.number - self.operations[0].number], cut
        )

    def _cut(self, array: FlashArray, operation: Operation, cut: Cut) -> FlashImage:
        array.cut = cut
        array.perform(operation)
        return array.image()

    def cuts(
        self,
        modes: Iterable[Mode] = tuple(Mode),
        *,
        seeds: Iterable[int] = (0,),
        unstable: bool = False,
        operations: slice = slice(None),
    ) -> Iterator[tuple[Cut, FlashImage]]:
        """Every cut with the flash it leaves, in the order of the operations.

        Each of the `seeds` is one way to tear. A cut before an operation leaves what the cut after
        the operation before it left, so that a sweep can do without `Mode.BEFORE`.
        """
        modes, seeds = tuple(modes), tuple(seeds)
        wanted = {operation.number for operation in self.operations[operations]}

        def plan(operation: Operation) -> Iterator[Cut]:
            if operation.number in wanted:
                for mode in modes:
                    if mode.applies_to(operation.kind):
                        for seed in seeds if mode is Mode.TORN else seeds[:1]:
                            yield Cut(operation.number, mode, seed, unstable and mode is Mode.TORN)

        return self.planned(plan)

    def planned(self, plan: Callable[[Operation], Iterable[Cut]]) -> Iterator[tuple[Cut, FlashImage]]:
        """The cuts that `plan` names for each operation, with the flash that each leaves."""
        running = self._replay(self.start, self.operations[0].number if self.operations else 0)
        for operation in self.operations:
            cuts = tuple(plan(operation))
            before = running.image() if cuts else self.start
            for cut in cuts:
                yield cut, self._cut(self._replay(before, operation.number), operation, cut)
            running.perform(operation)


class Recorder:
    """Logs what happens to the flash from now on."""

    def __init__(self, array: FlashArray) -> None:
        self._origin, self._start = array.origin, array.image()
        self._log: list[Operation] = []
        array.log = self._log

    def history(self) -> History:
        """What has happened so far."""
        return History(self._origin, self._start, tuple(self._log))
