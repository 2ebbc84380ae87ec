"""What an emulated core of any architecture has: its engine, its view of memory, its counter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum, auto

from unicorn import Uc, UcError
from unicorn import unicorn_const as const

from tinyc.emulator.breakpoints import Breakpoints
from tinyc.emulator.chip import Chip, Entry, FlashSystem
from tinyc.emulator.counter import make_counter
from tinyc.emulator.counting import CounterRegisters
from tinyc.emulator.faults import EmulatedFault
from tinyc.emulator.image import Image
from tinyc.emulator.peripheral import Peripheral
from tinyc.emulator.register_reader import register_reader
from tinyc.emulator.timing import BlockCost

NOWHERE = 0xFFFFFF01  # no instruction has an odd address, so a run ends only when it is stopped
ACCESS = {
    const.UC_MEM_READ_UNMAPPED: "read of memory that is not there",
    const.UC_MEM_WRITE_UNMAPPED: "write to memory that is not there",
    const.UC_MEM_FETCH_UNMAPPED: "jump to memory that is not there",
    const.UC_MEM_FETCH_PROT: "jump to memory that cannot be executed",
    const.UC_MEM_READ_PROT: "read of memory that cannot be read",
    const.UC_MEM_WRITE_PROT: "write to read-only memory",
}


class Stop(Enum):
    """Why a stretch of execution ended."""

    REQUESTED = auto()  # by the counter: a deadline, an interrupt, a request
    WAIT_INTERRUPT = auto()  # WFI
    WAIT_EVENT = auto()  # WFE
    CONTINUE = auto()  # an exception was handled, or nothing to do
    BREAKPOINT = auto()  # for the debugger; the instruction was not executed


class Processor(ABC):
    """Executes from reset on. `write_flash(address, size, value)` answers writes to flash.

    `program_counter` is the engine's number of that register, `counted` tells the counter of others.
    """

    def __init__(
        self,
        engine: Uc,
        describe: Callable[[int], str],
        in_ram: Callable[[int, int], bool],
        *,
        native: bool,
        program_counter: int,
        counted: CounterRegisters,
    ) -> None:
        self.engine, self._describe, self.in_ram = engine, describe, in_ram
        self._read_register = register_reader(engine)
        self.write_flash: Callable[[int, int, int], None] = self._refuse_write
        self.pc = 0
        self._program_counter = program_counter
        self._intno: int | None = None
        self._bad_access: tuple[int, int] | None = None
        self._refused: Exception | None = None
        self.breakpoints = Breakpoints(engine)
        engine.hook_add(const.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(const.UC_HOOK_MEM_WRITE_PROT, self._on_read_only)
        invalid = const.UC_HOOK_MEM_UNMAPPED | const.UC_HOOK_MEM_FETCH_PROT | const.UC_HOOK_MEM_READ_PROT
        engine.hook_add(invalid, self._on_bad_access)
        self.counter = make_counter(engine, self._describe_block, counted, native=native)

    # What an architecture adds.

    @abstractmethod
    def own_peripherals(self, system: FlashSystem, chip: Chip, start: int) -> tuple[Peripheral, ...]:
        """Make what every chip with this core has; `start` is where the first program begins."""

    @abstractmethod
    def registers(self) -> dict[str, int]:
        """The core's registers by name, for people."""

    @abstractmethod
    def reset(self, start: int, entry: Entry | None = None) -> None:
        """Registers as after reset; begins at `start` as the hardware does, or as a ROM leaves the core."""

    @abstractmethod
    def run(self, instructions: int = 0) -> Stop:
        """Execute until the counter stops it, the core waits, or an exception was handled.

        With `instructions` no more than that many. Raises EmulatedFault.
        """

    @abstractmethod
    def _cost(self, address: int, size: int) -> BlockCost:
        """What a block costs. Raises EmulatedFault for one that the core refuses to execute."""

    @abstractmethod
    def set_interrupt_line(self, number: int, level: bool) -> None:
        """Drive the interrupt line `number`."""

    @abstractmethod
    def wakes(self, sleeping: Stop) -> bool:
        """Whether something ends this sleep now."""

    @abstractmethod
    def take_interrupt(self) -> None:
        """Enter the handlers of interrupts that are due."""

    @abstractmethod
    def check_alignment(self, image: Image | None) -> None:
        """Refuse what the core refuses of the code of `image`, now and when it runs; None: of no code."""

    @abstractmethod
    def stack_top(self, start: int) -> int:
        """Where the stack of the program that begins at `start` is when it is empty."""

    # Memory.

    def map_peripherals(self, peripherals: Sequence[Peripheral]) -> None:
        """Answer accesses to the addresses of these peripherals."""
        for peripheral in peripherals:
            self._map(peripheral)

    def _map(self, peripheral: Peripheral) -> None:
        def read(_uc: Uc, offset: int, size: int, _user: object) -> int:
            try:
                return peripheral.read(offset, size)
            except EmulatedFault as fault:  # the engine has to be given a value: raised after the run
                self._refused = self._refused or fault
                self.engine.emu_stop()
                return 0

        def write(_uc: Uc, offset: int, size: int, value: int, _user: object) -> None:
            peripheral.write(offset, size, value)

        self.engine.mmio_map(peripheral.base, peripheral.size, read, None, write, None)

    def read_word(self, address: int) -> int:
        """The word at `address` of mapped memory."""
        try:
            return int.from_bytes(self.engine.mem_read(address, 4), "little")
        except UcError:
            raise self.fault(ACCESS[const.UC_MEM_READ_UNMAPPED], address) from None

    # Registers and faults.

    def read(self, register: int) -> int:
        return self._read_register(register)

    def write(self, register: int, value: int) -> None:
        self.engine.reg_write(register, value)

    def fault(
        self, what: str, address: int | None = None, hint: str = "", pc: int | None = None
    ) -> EmulatedFault:
        """The error that says what the firmware did, and where."""
        if address is not None:
            what = f"{what}: 0x{address:08x}"
        at = self.read(self._program_counter) if pc is None else pc
        what += self._circumstances()
        return EmulatedFault(
            what, pc=at, symbol=self._describe(at), registers=self.registers(), address=address, hint=hint
        )

    def _circumstances(self) -> str:
        """What else to say of a fault."""
        return ""

    # Hooks. Exceptions of Python in hooks come out of emu_start.

    def _describe_block(self, address: int, size: int) -> BlockCost | None:
        try:
            return self._cost(address, size)
        except Exception as error:  # nothing may be raised through native code: raised after the run
            self._refused = error
            return None

    def _on_interrupt(self, engine: Uc, number: int, _user: object) -> None:
        self._intno = number
        engine.emu_stop()

    def _on_bad_access(
        self, _uc: Uc, access: int, address: int, _size: int, _value: int, _user: object
    ) -> bool:
        self._bad_access = (access, address)
        return False

    def _on_read_only(
        self, _uc: Uc, _access: int, address: int, size: int, value: int, _user: object
    ) -> bool:
        try:
            self.write_flash(address, size, value & ((1 << 8 * size) - 1))
        except EmulatedFault as fault:  # the engine would hide it behind an error of its own
            self._refused = fault
            return False
        return True

    def _refuse_write(self, address: int, _size: int, _value: int) -> None:
        raise self.fault("write to read-only memory", address)
