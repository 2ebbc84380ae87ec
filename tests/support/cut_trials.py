"""Boots what power cuts left in flash, and looks whether the right firmware runs.

One machine serves all trials. Each trial remembers the state of the chip at its erases: flash, RAM, stack and
what is on the line. A later trial that meets one of these states at the same point of its script goes on as
the earlier one did, so it ends there with the same result. Most cuts in the data of a page end so.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import smp.message
from unicorn import arm_const as registers

from support.update_device import NRF, slots
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError, RecoveryError
from tinyc.device.hello import BootEvent
from tinyc.device.images import ImageClient
from tinyc.emulator import EmulatedFault, Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.flash import FlashImage
from tinyc.emulator.machine import Ended
from tinyc.emulator.power import History, Recorder
from tinyc.signing.read import read_image

PAGE = 4096
OLD, NEW, RECOVERY = "o", "n", "r"
INSTALL = 9  # the kind of a record in the journal
STACK = 3072  # bytes that it has at most
LONGEST_BOOT = 300_000_000  # cycles: several swaps with signatures
# The others hold what is dead, or follow from flash and RAM.
# One joined trial in CHECKED is played to its end.
_GENERAL = tuple(range(registers.UC_ARM_REG_R0, registers.UC_ARM_REG_R0 + 13))
_REGISTERS = (registers.UC_ARM_REG_SP, registers.UC_ARM_REG_LR)
CHECKED = 199


def code_word(state: int) -> int:
    """A record of the journal."""
    return state | (~state & 0xFFFF) << 16


@dataclass(frozen=True, slots=True)
class Firmware:
    """An image and what the firmware in it calls itself."""

    image: bytes
    identity: str


@dataclass(frozen=True, slots=True)
class Script:
    """What is done with a flash after a cut, and what must come of it.

    `firmware` are those that may run, by letter. `pattern` is a regular expression for the letters of `boots`
    boots in a row. `updates` has, by the last letter, what is sent after them and asked for, and how many
    bytes of it the device must know already.
    """

    firmware: Mapping[str, Firmware]
    pattern: str
    boots: int
    installs: bool = False
    updates: Mapping[str, tuple[Firmware, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        updates = sorted(
            (letter, read_image(firmware.image).hash, offset)
            for letter, (firmware, offset) in self.updates.items()
        )
        firmware = sorted((letter, known.identity) for letter, known in self.firmware.items())
        return repr((firmware, self.pattern, self.boots, self.installs, updates))


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a trial. `defect` says what went wrong, if anything; `brick`: nothing answered."""

    seen: str
    defect: str | None = None
    brick: bool = False
    wrong: bool = False
    installed: bool = False


@dataclass(slots=True)
class Counts:
    trials: int = 0
    boots: int = 0
    joined: int = 0
    uploads: int = 0


class _JoinedError(Exception):
    """The trial goes on as an earlier one did."""


class _DefectError(Exception):
    def __init__(
        self, what: str, *, brick: bool = False, wrong: bool = False, installed: bool = False
    ) -> None:
        super().__init__(what)
        self.brick, self.wrong, self.installed = brick, wrong, installed


class _Line:
    """The machine's serial line, which ends a trial that has joined another."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def write(self, data: bytes) -> None:
        self._machine.transport.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        data = self._machine.transport.read(size, timeout)
        if not self._machine.powered:
            raise _JoinedError
        return data

    def close(self) -> None:
        pass


@dataclass(slots=True)
class _Trail:
    """States that the trial in work has passed through."""

    script: str = ""
    seen: str = ""
    step: int = 0
    states: list[bytes] = field(default_factory=list)


class Laboratory:
    """A machine for trials."""

    def __init__(self) -> None:
        self.machine = Machine(b"", NRF, flash_rules=FlashRules(strict=True))
        self.counts = Counts()
        self._array = self.machine.flash_array
        self._forget = self._array.on_change
        self._array.on_change = self._changed
        self._pages: list[bytes | None] = [None] * (NRF.memory.flash // PAGE)
        self._running = False
        self._known: dict[bytes, Result] = {}
        self._joins: bytes | None = None
        self._trail: _Trail | None = None

    # Trials.

    def trial(self, image: FlashImage, script: Script, boot: int = 1, *, join: bool = True) -> Result:
        """Boot `image` as the script says. `boot` chooses what RAM and torn cells hold."""
        self.counts.trials += 1
        self._trail = trail = _Trail(script.name) if join else None
        self._joins = None
        try:
            result = self._play(image, script, boot)
        except _JoinedError:
            assert self._joins is not None
            self.counts.joined += 1
            result = self._known[self._joins]
            if self.counts.joined % CHECKED == 0 and self.trial(image, script, boot, join=False) != result:
                raise AssertionError(f"two trials from one state differ: {script.name}") from None
        except _DefectError as defect:
            result = Result(self._seen, str(defect), defect.brick, defect.wrong, defect.installed)
        except EmulatedFault as fault:
            result = Result(self._seen, f"after {self._seen!r}: {fault}", brick=True)
        except ProtocolError as error:
            result = Result(self._seen, f"after {self._seen!r}: {error}")
        finally:
            self._trail, self._running = None, False
        if trail is not None:
            self._known.update(dict.fromkeys(trail.states, result))
        return result

    def record(self, image: FlashImage, boot: int, upload: Firmware | None = None) -> History:
        """What the first boot after a cut does to flash, and an upload after it.

        Raises EmulatedFault, ProtocolError and RuntimeError.
        """
        self.power_cycle(image, boot)
        recorder = Recorder(self._array)
        if self._run() is not Ended.IDLE:
            raise RuntimeError("the boot does not end")
        if upload is not None:
            ImageClient(self.client()).upload(upload.image)
        return recorder.history()

    def power_cycle(self, image: FlashImage | None, boot: int) -> None:
        self._running = False
        self.machine.line.from_device.clear()
        self.machine.power_cycle(image, boot=boot)
        for register in _GENERAL:  # the engine keeps those of the trial before
            self.machine._core.engine.reg_write(register, 0)

    def _play(self, image: FlashImage, script: Script, boot: int) -> Result:
        self._seen = ""
        # The same requests in every trial; an exchange begins with a random number.
        smp.message._counter = itertools.count()
        random.seed(1)
        firmware = script.firmware
        for number in range(script.boots):
            if number == 0:
                self.power_cycle(image, boot)
            elif number % 2:
                self._reset()
            else:
                self.power_cycle(None, boot + number)
            self._see(firmware, script.installs)
        if not re.fullmatch(script.pattern, self._seen):
            raise _DefectError(f"boots {self._seen!r} are not {script.pattern!r}", wrong=True)
        if script.updates:
            self._go_on(*script.updates[self._seen[-1]], script.installs)
        return Result(self._seen)

    def _reset(self) -> None:
        self._running = False
        self.machine.reset()

    def _see(self, firmware: Mapping[str, Firmware], installs: bool) -> None:
        letter = self._boot(firmware, installs)
        self._seen += letter
        if self._trail is not None:
            self._trail.seen = self._seen
            self._trail.step += 1

    def _boot(self, firmware: Mapping[str, Firmware], installs: bool) -> str:
        """Run from the reset on, and tell the letter of what answers."""
        self.counts.boots += 1
        ended = self._run()
        if ended is not Ended.IDLE:
            raise _DefectError(f"after {self._seen!r} a boot that does not end", brick=True)
        try:
            hello = self.client().hello()
        except RecoveryError:
            return RECOVERY
        except ProtocolError as error:
            raise _DefectError(f"after {self._seen!r} nothing answers: {error}", brick=True) from None
        found = [letter for letter, known in firmware.items() if known.identity == hello.firmware]
        if not found:
            raise _DefectError(f"after {self._seen!r} an unknown firmware", wrong=True)
        image = firmware[found[0]].image
        if self.machine.read_memory(slots().primary, len(image)) != image:
            raise _DefectError(f"after {self._seen!r} the image of {found[0]!r} is damaged", wrong=True)
        if hello.boot is None:
            raise _DefectError(f"after {self._seen!r} no report of the bootloader")
        if not installs and (hello.boot.event == BootEvent.INSTALLED or self._journal_has(INSTALL)):
            raise _DefectError(f"after {self._seen!r} an install", installed=True)
        return found[0]

    def _journal_has(self, kind: int) -> bool:
        words = memoryview(self.machine.read_memory(slots().journal, 2 * PAGE)).cast("I")
        return any(word >> 12 & 0xF == kind and word == code_word(word & 0xFFFF) for word in words)

    def _go_on(self, firmware: Firmware, offset: int, installs: bool) -> None:
        """An upload and an update as if nothing had happened."""
        self.counts.uploads += 1
        first: list[int] = []
        images = ImageClient(self.client())
        images.upload(firmware.image, progress=first.append)
        # The first chunk of an upload is smaller than a page: what is known beyond it was known before.
        if first[0] < offset:
            raise _DefectError(f"the upload goes on at {first[0]} instead of {offset}")
        self._pass()
        images.test(read_image(firmware.image).hash.hex())
        known = {NEW: firmware}
        for number in range(2):
            self._reset()
            if self._boot(known, installs) != NEW:
                raise _DefectError("the update does not run afterwards", wrong=True)
            self._pass()
            if number == 0:
                ImageClient(self.client()).confirm()
                self._pass()

    def _pass(self) -> None:
        if self._trail is not None:
            self._trail.step += 1

    def client(self) -> DeviceClient:
        return DeviceClient(_Line(self.machine), timeout=5.0)

    def _run(self) -> Ended:
        self._running = True
        ended = self.machine.run(LONGEST_BOOT)
        if not self.machine.powered:
            raise _JoinedError
        return ended

    # States.

    def _changed(self, address: int, size: int) -> None:
        page = (address - self._array.origin) // PAGE
        self._pages[page] = None
        # Nothing that is executed is written without an erase before.
        if size > 4 or not self._running:
            self._forget(address, size)
        if size == PAGE and self._running and self._trail is not None:
            self._meet(self._trail, address)

    def _meet(self, trail: _Trail, page: int) -> None:
        state = self._state(trail, page)
        if state in self._known:
            self._joins = state
            self._array.dead = True  # ends the run
            self.machine.recheck()
        elif self._joins is None:
            trail.states.append(state)

    def _state(self, trail: _Trail, erased: int) -> bytes:
        machine, engine = self.machine, self.machine._core.engine
        image = hashlib.blake2b(digest_size=16)
        for at, known in enumerate(self._pages):
            if known is None:
                start = at * PAGE
                known = hashlib.sha1(self._array._cells[start : start + PAGE]).digest()
                self._pages[at] = known
            image.update(known)
        image.update(hashlib.sha1(self._array._writes).digest())
        stack = int(engine.reg_read(registers.UC_ARM_REG_SP))
        for origin, size in machine._memory.ram_areas:
            # The stack is at the bottom of RAM: what is below its pointer is dead.
            dead = stack - origin if origin < stack < origin + STACK else 0
            image.update(hashlib.sha1(engine.mem_read(origin + dead, size - dead)).digest())
        values = [engine.reg_read(register) for register in _REGISTERS]
        line = (bytes(machine.line.to_device), bytes(machine.line.from_device))
        rest = (trail.script, trail.seen, trail.step, machine._boot, values, line)
        # The array forgets the torn cells of a page a moment after its erase.
        torn = [cell for cell in self._array._unstable.items() if not erased <= cell[0] < erased + PAGE]
        image.update(repr((rest, sorted(torn))).encode())
        return image.digest()
