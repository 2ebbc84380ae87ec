"""The emulated RISC-V core of the ESP32-C3: RV32IMC in machine mode. Unicorn executes the instructions.

From its Technical Reference Manual, "ESP-RISC-V CPU". The core has no other control registers than that
chapter lists, and no atomic instructions. Every trap is a fault here, and interrupts are not modelled: a
firmware that turns them on is refused. Espressif publishes no timings of its instructions, so that each
counts as one cycle.
"""

from __future__ import annotations

from collections.abc import Callable

from unicorn import Uc, UcError
from unicorn import riscv_const as riscv
from unicorn import unicorn_const as const

from tinyc.boards import Board
from tinyc.emulator.chip import Chip, Entry, FlashSystem
from tinyc.emulator.counting import CounterRegisters
from tinyc.emulator.image import Image
from tinyc.emulator.peripheral import WORD, Peripheral, on_read, on_write
from tinyc.emulator.processor import ACCESS, NOWHERE, Processor, Stop
from tinyc.emulator.timing import BlockCost
from tinyc.errors import TinycError

_GENERAL = tuple(getattr(riscv, f"UC_RISCV_REG_X{i}") for i in range(1, 32))
_COUNTED = CounterRegisters(riscv.UC_RISCV_REG_SP, riscv.UC_RISCV_REG_RA)
_ILLEGAL = 2  # the cause of an instruction that the engine does not know
_ECALL = (8, 11)
_ATOMIC, _SYSTEM = 0x2F, 0x73  # opcodes
_MSTATUS, _MTVEC = 0x300, 0x305
_MIE = 1 << 3
_STANDARD = {_MSTATUS, 0x301, _MTVEC, *range(0x340, 0x344)}  # misa; mscratch to mtval
_STANDARD |= {*range(0x3A0, 0x3A4), *range(0x3B0, 0x3C0), *range(0xF11, 0xF15)}
_VECTORS = 256  # bytes: what mtvec is a multiple of


class PerformanceCounter(Peripheral):
    """The counter among the control registers, by their numbers; it counts cycles and nothing else."""

    MPCER, MPCMR, MPCCR = 0x7E0, 0x7E1, 0x7E2
    _CYCLES, _ON = 1, 1

    def reset(self) -> None:
        super().reset()
        self._from = 0

    def _counts(self) -> bool:
        return bool(self[self.MPCER] & self._CYCLES and self[self.MPCMR] & self._ON)

    def _write(self, register: int, value: int) -> None:
        count = self._read()
        self[register] = value
        self[self.MPCCR] = value if register == self.MPCCR else count
        self._from = self.system.executed

    @on_write(MPCER)
    def _write_event(self, value: int) -> None:
        self._write(self.MPCER, value)

    @on_write(MPCMR)
    def _write_mode(self, value: int) -> None:
        self._write(self.MPCMR, value)

    @on_write(MPCCR)
    def _write_count(self, value: int) -> None:
        self._write(self.MPCCR, value)

    @on_read(MPCCR)
    def _read(self) -> int:
        return self[self.MPCCR] + (self.system.executed - self._from if self._counts() else 0) & WORD


_CUSTOM = (PerformanceCounter.MPCER, PerformanceCounter.MPCMR, PerformanceCounter.MPCCR)


class RiscvCore(Processor):
    """The engine's nearest core, a SiFive E31, without what the chip's has not."""

    NAME = "rv32imc"

    def __init__(
        self,
        board: Board,
        describe: Callable[[int], str],
        in_ram: Callable[[int, int], bool],
        *,
        native: bool,
    ) -> None:
        engine = Uc(const.UC_ARCH_RISCV, const.UC_MODE_RISCV32)
        engine.ctl_set_cpu_model(riscv.UC_CPU_RISCV32_SIFIVE_E31)
        self._memory = board.memory
        pc = riscv.UC_RISCV_REG_PC
        super().__init__(engine, describe, in_ram, native=native, program_counter=pc, counted=_COUNTED)

    def own_peripherals(self, system: FlashSystem, chip: Chip, start: int) -> tuple[Peripheral, ...]:
        self._custom = PerformanceCounter(system, 0)
        return ()

    def registers(self) -> dict[str, int]:
        values = {f"x{number}": self.read(register) for number, register in enumerate(_GENERAL, 1)}
        return values | {"pc": self.read(riscv.UC_RISCV_REG_PC)}

    def reset(self, start: int, entry: Entry | None = None) -> None:
        for register in _GENERAL:
            self.write(register, 0)
        for register in (riscv.UC_RISCV_REG_MSTATUS, riscv.UC_RISCV_REG_MTVEC):
            self.write(register, 0)
        self._custom.reset()
        begin = entry or Entry(0, start)
        self.write(riscv.UC_RISCV_REG_SP, begin.stack)
        self.pc = begin.pc
        self.write(riscv.UC_RISCV_REG_PC, self.pc)
        self.counter.follow_break(0)

    # Interrupts: none.

    def set_interrupt_line(self, number: int, level: bool) -> None:
        """Nobody listens."""

    def wakes(self, sleeping: Stop) -> bool:
        return False

    def take_interrupt(self) -> None:
        """There is none."""

    # What is fixed in another way than on a Cortex-M.

    def check_alignment(self, image: Image | None) -> None:
        """The engine itself refuses no unaligned word, nor does the core."""

    def stack_top(self, start: int) -> int:
        """As `board.ld` lays it out: at the bottom of RAM."""
        return self._memory.ram_origin + self._memory.ram_reserved + self._memory.stack

    # Execution.

    def _cost(self, address: int, size: int) -> BlockCost:
        code, at, instructions = bytes(self.engine.mem_read(address, size)), 0, 0
        while at < size:
            long = code[at] & 3 == 3
            if long:
                self._check(int.from_bytes(code[at : at + 4], "little"), address + at)
            instructions += 1
            at += 4 if long else 2
        return BlockCost(instructions, instructions, 0, uses_fpu=False, sends_event=False)

    def _check(self, instruction: int, pc: int) -> None:
        """Refuse what the engine executes and the core does not."""
        opcode = instruction & 0x7F
        if opcode == _ATOMIC:
            raise self.fault("illegal instruction: the core has no atomic ones", pc=pc)
        number = instruction >> 20
        accesses = opcode == _SYSTEM and instruction >> 12 & 7
        if accesses and number not in _STANDARD and number not in _CUSTOM:
            raise self.fault(f"illegal instruction: the core has no control register 0x{number:03x}", pc=pc)

    def run(self, instructions: int = 0) -> Stop:
        self._intno = self._bad_access = self._refused = None
        self.counter.stopped = 0
        try:
            self.engine.emu_start(self.pc, NOWHERE, count=instructions)
        except UcError as error:
            if self._refused is not None:
                raise self._refused from None
            raise self._error(error) from None
        self.pc = self.read(riscv.UC_RISCV_REG_PC)
        if self._refused is not None:
            raise self._refused
        if self._intno is not None:
            return self._after_trap(self._intno)
        self._check_control()
        return Stop.REQUESTED

    def _error(self, error: UcError) -> TinycError:
        if self._bad_access is not None:
            access, address = self._bad_access
            pc = self.counter.last_address if "FETCH" in str(error) else None
            hint = "constants are read through the data bus" if access == const.UC_MEM_READ_PROT else ""
            return self.fault(ACCESS.get(access, "bad memory access"), address, hint, pc)
        if error.errno == const.UC_ERR_INSN_INVALID:
            return self.fault("illegal instruction or breakpoint")
        return self.fault(f"the engine gave up: {error}")

    def _after_trap(self, cause: int) -> Stop:
        """The engine stands behind the instruction that traps, which ends its block."""
        pc = self.pc - 4
        instruction = int.from_bytes(self.engine.mem_read(pc, 4), "little")
        if cause == _ILLEGAL and instruction & 0x7F == _SYSTEM and instruction >> 20 in _CUSTOM:
            self._access(instruction)
            return Stop.CONTINUE
        if cause in _ECALL:
            raise self.fault("environment call, which nobody answers", pc=pc)
        raise self.fault(f"trap with cause {cause}", pc=pc)

    def _access(self, instruction: int) -> None:
        """CSRRW, CSRRS, CSRRC and their immediate forms on a register of the chip's own."""
        number, source = instruction >> 20, instruction >> 15 & 31
        kind, target = instruction >> 12 & 7, instruction >> 7 & 31
        operand = source if kind & 4 or not source else self.read(_GENERAL[source - 1])
        old = self._custom.load(number)
        if kind & 3 == 1:
            self._custom.store(number, operand)
        elif source:
            self._custom.store(number, old | operand if kind & 3 == 2 else old & ~operand)
        if target:
            self.write(_GENERAL[target - 1], old)

    def _check_control(self) -> None:
        """Refuse what the firmware has set and the core could not follow."""
        if self.read(riscv.UC_RISCV_REG_MSTATUS) & _MIE:
            raise self.fault("interrupts are on, which the emulated core has not")
        vectors = self.read(riscv.UC_RISCV_REG_MTVEC) & ~3
        if vectors % _VECTORS:
            raise self.fault(f"mtvec is no multiple of {_VECTORS}", vectors)
