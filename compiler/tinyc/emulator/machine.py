"""A board on this machine: memory, core, peripherals, serial line and time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tinyc.board_parts import Memory
from tinyc.boards import Board
from tinyc.emulator.air import Antenna
from tinyc.emulator.chip import LENIENT, DebugParts, FlashRules, load_chip
from tinyc.emulator.chip_memory import ChipMemory
from tinyc.emulator.core import Core
from tinyc.emulator.core_debug import CoreDebug
from tinyc.emulator.counting import FOREVER
from tinyc.emulator.debug_bus import DebugBus
from tinyc.emulator.debug_port import DebugPort
from tinyc.emulator.ended import Ended
from tinyc.emulator.faults import EmulatedFault
from tinyc.emulator.flash import Cut, FlashImage
from tinyc.emulator.image import Image, check_fits, merge, read_image, started
from tinyc.emulator.peripheral import Reset
from tinyc.emulator.processor import Processor, Stop
from tinyc.emulator.profile import Profile, make_profile
from tinyc.emulator.riscv_core import RiscvCore
from tinyc.emulator.scheduler import Scheduler
from tinyc.emulator.serial_line import SerialLine
from tinyc.emulator.serving import Served
from tinyc.emulator.timed_line import TimedLine
from tinyc.emulator.transport import InProcessTransport
from tinyc.errors import TinycError

__all__ = ["Ended", "Machine"]

_SLICE_CYCLES = 1 << 25  # the engine comes back this often, so that Ctrl-C is heard


class Machine(Served):
    """An emulated board that runs `start`: an ELF, or the content of the whole flash.

    An ELF starts where the board's applications start, as if its bootloader had jumped there. A
    flash content starts as the hardware does, at the first word of flash; `symbols` are ELFs that
    lend it names. Nothing is executed before `run`, a read of `transport` or `serve_pty`. Time is
    the estimate of the executed cycles plus the time slept; every run is deterministic, given
    `boot`, the number of the first boot, which chooses what torn flash cells read. With `timed_line`
    the bytes of the serial line take their time and can be lost.
    `native=False` counts in Python, which gives the same numbers slowly. Raises TinycError when the
    board has no emulated chip or the image does not belong to it, and EmulatedFault while running.
    """

    def __init__(
        self,
        start: Path | bytes | FlashImage,
        board: Board,
        *,
        symbols: Sequence[Path] = (),
        flash_rules: FlashRules = LENIENT,
        timed_line: bool = False,
        boot: int = 0,
        entry: int | None = None,
        native: bool = True,
    ) -> None:
        self.board, self.clock_hz, self.flash_rules = board, board.clock_hz, flash_rules
        self.reset_cause = Reset.POWER_ON
        self._chip, self._boot = load_chip(board.soc), boot
        if timed_line and not self._chip.timed_line:
            raise TinycError(f"the emulated UART of `{board.soc}` has no rate")
        images = [read_image(Path(path)) for path in symbols]
        if isinstance(start, bytes | FlashImage):
            self._start_address = board.memory.first_vectors if entry is None else entry
            content = start if isinstance(start, FlashImage) else FlashImage(start)
            if len(content.content) > board.memory.flash:
                raise TinycError(f"{len(content.content)} bytes are more than the flash of this board")
        else:
            self._start_address, content = board.memory.application_origin, FlashImage(b"")
            images.insert(0, read_image(Path(start)))
            check_fits(images[0], board.memory)
        self.image = merge(images)
        self.scheduler = Scheduler(self.recheck)
        self.line = TimedLine(self) if timed_line else SerialLine()
        self.antenna = Antenna()
        self.pins: dict[tuple[int, int], int] = {}
        self._idle_cycles = self._slept = self._profile_start = self._wanted = 0
        self._sleeping: Stop | None = None
        self._gave_up_polling = self._reset_requested = False
        self._watched: tuple[str, ...] = ()
        super().__init__()
        self._debug: CoreDebug | None = None
        self._checked: Image | None = None
        self._memory = ChipMemory(board.memory, self._chip)
        kind = RiscvCore if board.core == RiscvCore.NAME else Core
        self._core: Processor = kind(board, self.image.describe, self._memory.in_ram, native=native)
        loaded = () if isinstance(start, bytes | FlashImage) else images[0].segments
        self._map_memory(content, loaded)
        self._images = images
        self._check_alignment(images[0] if loaded else started(images, self.flash(), board.memory))
        self.line.on_output = self._on_output
        self.line.on_idle = self._on_polled_idle
        self.line.timers_running = lambda: self.scheduler.next_time() is not None
        own = self._core.own_peripherals(self, self._chip, self._start_address)
        self._parts = parts = self._chip.build(self)
        self._peripherals = (*own, *parts.peripherals)
        self._core.map_peripherals(self._peripherals)
        if parts.write_flash is not None:
            self._core.write_flash = parts.write_flash
        self.transport = InProcessTransport(self)
        self._start(Reset.POWER_ON)

    # Memory.

    @property
    def memory(self) -> Memory:
        return self.board.memory

    def _map_memory(self, content: FlashImage, loaded: Iterable[tuple[int, bytes]]) -> None:
        self.flash_array = self._memory.map_into(self._core.engine, content)
        self.flash_array.on_change = self._flash_changed
        self.flash_array.on_power_loss = self._power_lost
        for address, data in loaded:
            self._core.engine.mem_write(address, data)
        self._memory.remember_ram(self._core.engine)

    def _flash_changed(self, address: int, size: int) -> None:
        self._core.engine.ctl_remove_cache(address, address + size)
        if self._debug is not None:  # a debugger brings other code
            self._check_alignment(None)

    def _check_alignment(self, image: Image | None) -> None:
        if image is not self._checked:
            self._checked = image
            self._core.check_alignment(image)

    def flash(self) -> bytes:
        """The content of the whole flash."""
        return self.flash_array.image().content

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of flash or RAM."""
        return bytes(self._core.engine.mem_read(address, size))

    def read_ram(self, address: int, size: int, who: str) -> bytes:
        if not self._memory.in_ram(address, size):
            raise self.fault(f"{who} cannot read {size} bytes there, only RAM", address)
        return self.read_memory(address, size)

    def write_ram(self, address: int, data: bytes, who: str) -> None:
        if not self._memory.in_ram(address, len(data)):
            raise self.fault(f"{who} cannot write {len(data)} bytes there, only RAM", address)
        self._core.engine.mem_write(address, data)

    # Time, interrupts and errors, as the peripherals see them.

    @property
    def now(self) -> int:
        return self._core.counter.cycles + self._idle_cycles

    @property
    def executed(self) -> int:
        return self._core.counter.cycles

    @property
    def instructions(self) -> int:
        """Instructions executed since the profile was reset."""
        return self._core.counter.instructions

    def show_flash(self, readable: bool) -> None:
        self._memory.show_flash(self._core.engine, readable)

    def stall(self, cycles: int) -> None:
        """The core waits while its clock, and the cycle counter, go on."""
        self._core.counter.cycles += cycles

    def set_interrupt_line(self, number: int, level: bool) -> None:
        self._core.set_interrupt_line(number, level)

    def recheck(self) -> None:
        self._core.counter.stop_request = 1

    def fault(self, what: str, address: int | None = None, hint: str = "") -> EmulatedFault:
        return self._core.fault(what, address, hint)

    def _on_output(self) -> None:
        if self._wanted and len(self.line.from_device) >= self._wanted:
            self.recheck()

    def _on_polled_idle(self) -> None:
        self._gave_up_polling = True
        self.recheck()

    def request_reset(self) -> None:
        self._reset_requested = True
        self.recheck()

    # Power and reset.

    def _start(self, cause: Reset) -> None:
        self.reset_cause = cause
        self.scheduler.clear()
        self.line.receivers.clear()
        self.line.restart()
        for peripheral in self._peripherals:
            peripheral.reset()
        self._sleeping = None
        self._reset_requested = False
        self.flash_array.settle(self._boot)
        self._boot += 1
        if self._debug is None:
            self._core.reset(self._start_address, self._parts.boot() if self._parts.boot else None)
        else:
            self._debug.reset(self._start_address)

    def reset(self, cause: Reset = Reset.PIN) -> None:
        """Start again; RAM stays. The firmware can ask for `Reset.SOFTWARE` itself."""
        if cause is Reset.POWER_ON:
            self.power_cycle()
        elif not self.flash_array.dead:
            self._start(cause)

    def power_cycle(self, image: FlashImage | None = None, *, boot: int | None = None) -> None:
        """Switch off and on: only flash stays, RAM holds noise that each boot number has its own of.

        With `image` the flash holds that instead: many times cheaper than a new machine.
        """
        self._boot = self._boot if boot is None else boot
        self.flash_array.power_up()
        if image is not None:
            self.flash_array.load(image)
        self.line.to_device.clear()
        self.line.powered = True
        self._memory.forget_ram(self._core.engine, self._boot)
        self._start(Reset.POWER_ON)

    def cut_power(self, cut: Cut) -> None:
        """Cut the power at a flash operation to come."""
        self.flash_array.cut = cut

    def _power_lost(self) -> None:
        self.line.powered = False
        self.recheck()

    # Running.

    def run(self, cycles: int | None = None, *, output: int = 0) -> Ended:
        """Run until `output` bytes wait on the line, the firmware idles, or `cycles` have gone by.

        The firmware idles when it sleeps and nothing can wake it, or when it keeps asking an empty
        UART for input. Raises EmulatedFault.
        """
        array = self.flash_array
        self._wanted = output
        limit = FOREVER if cycles is None else self.now + cycles
        counter = self._core.counter
        self._gave_up_polling = False
        while not array.dead:
            self.scheduler.fire(self.now)
            if self._reset_requested:
                self._start(Reset.SOFTWARE)
            if self._debug is not None and self._debug.halted:
                return Ended.HALTED
            if output and len(self.line.from_device) >= output:
                return Ended.OUTPUT
            if self._gave_up_polling:
                return Ended.IDLE
            if self._sleeping is not None and not self._core.wakes(self._sleeping):
                upcoming = self.scheduler.next_time()
                if upcoming is None:
                    return Ended.IDLE
                self._idle_cycles += max(0, min(upcoming, limit) - self.now)
                if upcoming > limit:
                    return Ended.BUDGET
                continue
            self._sleeping = None
            if self.now >= limit:
                return Ended.BUDGET
            counter.stop_request = 0
            counter.masked_priority = 0
            if self._debug is None or not self._debug.masks_interrupts:
                self._core.take_interrupt()
            upcoming = self.scheduler.next_time()
            until = limit if upcoming is None else min(limit, upcoming)
            counter.deadline = min(until - self._idle_cycles, counter.cycles + _SLICE_CYCLES)
            try:
                stop = self._core.run()
            except EmulatedFault:
                if not array.dead:  # the end of the last block ran without power
                    raise
                break
            if stop is Stop.BREAKPOINT and self._debug is not None:
                self._debug.at_breakpoint()
            elif stop is Stop.WAIT_EVENT and counter.event:
                counter.event = 0
            elif stop in (Stop.WAIT_INTERRUPT, Stop.WAIT_EVENT):
                self._sleeping = stop
        return Ended.POWER_LOST

    # Debugging.

    def need_debug_port(self) -> DebugParts:
        """What the chip adds to its debug port. Raises TinycError where it has none."""
        if self._parts.debug is None:
            raise TinycError(f"the emulated `{self.board.soc}` has no debug port")
        return self._parts.debug

    def attach(self) -> DebugPort:
        """Connect a debugger: what `serve_probe` does for each client. Raises TinycError."""
        parts = self.need_debug_port()
        if self._debug is not None:
            raise TinycError("a debugger is connected already")
        core = self._core
        assert isinstance(core, Core)  # no other chip has such a port
        self._debug = debug = CoreDebug(self, core, core.control, parts.control_port)
        bus = DebugBus(core.engine, self._memory, self._peripherals, self._parts, debug)
        return DebugPort(bus, debug, parts.control_port)

    def detach(self) -> None:
        """The debugger is gone: the core runs, without breakpoints."""
        if self._debug is not None:
            self._debug.release()
            self._debug = None
            if self._checked is None:
                self._check_alignment(started(self._images, self.flash(), self.memory))

    @property
    def powered(self) -> bool:
        """False after a power cut."""
        return not self.flash_array.dead

    @property
    def asleep(self) -> bool:
        """Whether the core waits in WFI or WFE."""
        return self._sleeping is not None

    def wake(self) -> None:
        """End WFI or WFE."""
        self._sleeping = None

    def apply_reset(self) -> None:
        """Perform a reset that a debugger's write has asked for."""
        if self._reset_requested:
            self._start(Reset.SOFTWARE)

    # Counting.

    def watch(self, functions: Iterable[str]) -> None:
        """Count these functions inclusively from now on. Raises TinycError for an unknown name."""
        self._watched = tuple(functions)
        self._core.counter.watch([self.image.function(name).address for name in self._watched])

    def profile(self) -> Profile:
        """What ran since the last `reset_profile`."""
        cycles = self._core.counter.cycles - self._profile_start
        return make_profile(self._core.counter, self.image, cycles, self._watched)

    def reset_profile(self) -> None:
        """Count from zero; the chip's time goes on."""
        self._core.counter.reset()
        self._profile_start = self._core.counter.cycles

    def stack_used(self) -> int:
        """Most bytes of stack in use so far; at most the board's stack, which then may be too small."""
        top = self._core.stack_top(self._start_address)
        return self._memory.changed_below(self._core.engine, top, self.memory.stack)
