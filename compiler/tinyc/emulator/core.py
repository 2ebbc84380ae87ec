"""The emulated Cortex-M: registers, memory, exceptions. Unicorn executes the instructions."""

from __future__ import annotations

from collections.abc import Callable

from unicorn import Uc, UcError
from unicorn import arm_const as arm
from unicorn import unicorn_const as const

from tinyc.boards import Board
from tinyc.cores import timed_as
from tinyc.emulator.alignment import multi_word_accesses
from tinyc.emulator.chip import Chip, Entry, FlashSystem
from tinyc.emulator.counting import IT_STATE, CounterRegisters
from tinyc.emulator.image import Image
from tinyc.emulator.peripheral import Peripheral
from tinyc.emulator.processor import ACCESS, NOWHERE, Processor, Stop
from tinyc.emulator.system_control import SVCALL, Dwt, SystemControl
from tinyc.emulator.timing import (
    EXCEPTION_ENTRY_CYCLES,
    EXCEPTION_RETURN_CYCLES,
    BlockCost,
    block_cost,
    instruction_lengths,
)
from tinyc.emulator.timing_v6m import instruction_cycles
from tinyc.errors import TinycError

_NAMES = tuple(f"r{i}" for i in range(13))
_GENERAL = tuple(getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13))
_FRAME = (*_GENERAL[:4], arm.UC_ARM_REG_R12, arm.UC_ARM_REG_LR)
_SINGLES = tuple(getattr(arm, f"UC_ARM_REG_S{i}") for i in range(16))
_SPSEL, _FPCA = 2, 4
_THUMB = 0x01000000
_FLAGS = 0xF80F0000  # N Z C V Q and GE
_SUPERVISOR_CALL, _PREFETCH_ABORT, _BREAKPOINT, _EXCEPTION_EXIT = 2, 3, 7, 8  # the engine's numbers
_WAITS = {"wfi": (b"\x30\xbf", b"\xaf\xf3\x03\x80"), "wfe": (b"\x20\xbf", b"\xaf\xf3\x02\x80")}
_MODELS = {
    "cortex-m0": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
}
_YIELD = (b"\x10\xbf", b"\xaf\xf3\x01\x80")
_COUNTED = CounterRegisters(arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_XPSR)


class Core(Processor):
    """A Cortex-M. `control`, one of its own peripherals, has its exceptions."""

    control: SystemControl

    def __init__(
        self,
        board: Board,
        describe: Callable[[int], str],
        in_ram: Callable[[int, int], bool],
        *,
        native: bool,
    ) -> None:
        core = board.core
        engine = Uc(const.UC_ARCH_ARM, const.UC_MODE_THUMB | const.UC_MODE_MCLASS)
        if core not in _MODELS:
            raise TinycError(f"no emulated core for `{core}`", allowed=", ".join(sorted(_MODELS)))
        engine.ctl_set_cpu_model(_MODELS[core])
        self._cycles_of = instruction_cycles(timed_as(core), "fast_multiplier" in board.features)
        self.debugged = False  # a debugger halts at breakpoints
        super().__init__(
            engine,
            describe,
            in_ram,
            native=native,
            program_counter=arm.UC_ARM_REG_PC,
            counted=_COUNTED,
        )

    def own_peripherals(self, system: FlashSystem, chip: Chip, start: int) -> tuple[Peripheral, ...]:
        self.control = control = SystemControl(
            system, 0xE000E000, interrupts=chip.interrupts, priority_bits=chip.priority_bits
        )
        control.vector_table, control.on_reset = start, system.request_reset
        counter = Dwt(system, 0xE0001000, control, lockable=system.board.core == "cortex-m7")
        plain = (Peripheral(system, base) for base in (0xE0000000, 0xE0002000, 0xE0040000))
        return (control, counter, *plain)

    def registers(self) -> dict[str, int]:
        values = {name: self.read(register) for name, register in zip(_NAMES, _GENERAL, strict=True)}
        values |= {"sp": self.read(arm.UC_ARM_REG_SP), "lr": self.read(arm.UC_ARM_REG_LR)}
        return values | {"pc": self.read(arm.UC_ARM_REG_PC), "xpsr": self.read(arm.UC_ARM_REG_XPSR)}

    def _circumstances(self) -> str:
        exception = self.read(arm.UC_ARM_REG_IPSR)
        return f", while handling exception {exception}" if exception else ""

    def reset(self, start: int, entry: Entry | None = None) -> None:
        """Stack pointer and entry come from the vectors at `start`, unless a ROM sets them."""
        for register in (*_GENERAL, *_SINGLES):
            self.write(register, 0)
        for register in (arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK):
            self.write(register, 0)
        self.write(arm.UC_ARM_REG_XPSR, _THUMB)
        self.write(arm.UC_ARM_REG_CONTROL, 0)
        self.write(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        begin = entry or Entry(self.read_word(start), self.read_word(start + 4))
        self.write(arm.UC_ARM_REG_SP, begin.stack & ~3)
        self._jump(begin.pc, "the reset vector")
        self.counter.follow_break(0)

    def _jump(self, target: int, who: str) -> None:
        if not target & 1:
            raise self.fault(f"{who} holds 0x{target:08x}, which is not a Thumb address", pc=target)
        self.pc = target & ~1
        self.write(arm.UC_ARM_REG_PC, target)

    # Hooks.

    def _cost(self, address: int, size: int) -> BlockCost:
        if not self.read(arm.UC_ARM_REG_XPSR) & _THUMB:
            what = "jump to an even address, and the core has no Arm state"
            raise self.fault(what, address, pc=self._jumped_from())
        cost = block_cost(address, bytes(self.engine.mem_read(address, size)), self._cycles_of)
        if cost.uses_fpu and not self.control.fpu_enabled:
            hint = "set bits 20 to 23 of CPACR, then DSB and ISB, before the first FPU instruction"
            raise self.fault("FPU instruction while the FPU is off", hint=hint, pc=address)
        return cost

    def _on_read_only(self, uc: Uc, access: int, address: int, size: int, value: int, user: object) -> bool:
        done = super()._on_read_only(uc, access, address, size, value, user)
        # The engine loads the state of an IT block for this hook and would then keep it for good.
        if done and self.in_it_block:
            self.write(arm.UC_ARM_REG_XPSR, self.read(arm.UC_ARM_REG_XPSR) & ~IT_STATE)
        return done

    # Execution.

    @property
    def in_it_block(self) -> bool:
        """Whether an IT block is under way; exceptions wait for its end here."""
        return bool(self.read(arm.UC_ARM_REG_XPSR) & IT_STATE)

    def masks(self, exception_priority: int) -> bool:
        """Whether PRIMASK, FAULTMASK or BASEPRI holds back an exception of that priority."""
        if exception_priority < 0:
            return False
        if self.read(arm.UC_ARM_REG_PRIMASK) & 1 or self.read(arm.UC_ARM_REG_FAULTMASK) & 1:
            return True
        base = self.read(arm.UC_ARM_REG_BASEPRI) & 0xFF
        return bool(base) and exception_priority >= base

    def set_interrupt_line(self, number: int, level: bool) -> None:
        self.control.set_line(number, level)

    def wakes(self, sleeping: Stop) -> bool:
        upcoming = self.control.next_exception()
        if sleeping is Stop.WAIT_INTERRUPT:
            return upcoming is not None
        if upcoming is not None and not self.masks(upcoming[1]):
            return True
        woken = bool(self.counter.event) or (self.control.wakes_on_pending and bool(self.control.pending))
        self.counter.event = 0
        return woken

    def take_interrupt(self) -> None:
        upcoming = self.control.next_exception()
        if upcoming is None:
            return
        exception, priority = upcoming
        if self.masks(priority):
            self.counter.masked_priority = max(0, priority) + 1
        elif self.in_it_block:
            self.counter.stop_request = 1
        else:
            self.enter(exception)
            self.take_interrupt()

    def check_alignment(self, image: Image | None) -> None:
        self.counter.check_alignment(() if image is None else tuple(multi_word_accesses(image)))

    def stack_top(self, start: int) -> int:
        return self.read_word(start)

    def run(self, instructions: int = 0) -> Stop:
        self._intno = self._bad_access = self._refused = None
        self.counter.stopped, self.breakpoints.reached = 0, None
        if instructions:
            self.engine.ctl_flush_tb()  # code that is translated already is not counted by the engine
        try:
            self.engine.emu_start(self.pc | 1, NOWHERE, count=instructions)
        except UcError as error:
            self.pc = self.read(arm.UC_ARM_REG_PC)
            if self._refused is not None:
                raise self._refused from None
            return self._after_error(error)
        self.pc = self.read(arm.UC_ARM_REG_PC)
        if self._refused is not None:
            raise self._refused
        if self.counter.misaligned:
            what = "LDRD, STRD, LDM, STM, VLDR or VSTR with a base address that is no multiple of 4"
            raise self.fault(f"UsageFault: {what}", self.counter.misaligned, pc=self.counter.misaligned_pc)
        if self.breakpoints.reached is not None:
            self.pc = self.breakpoints.reached
            self.write(arm.UC_ARM_REG_PC, self.pc | 1)
            return Stop.BREAKPOINT
        if self._intno is not None:
            return self._after_interrupt(self._intno)
        if self.counter.stopped or instructions:
            return Stop.REQUESTED
        return self._waiting()

    def _just_executed(self, encodings: tuple[bytes, bytes]) -> bool:
        """Whether the last block ended here with one of these instructions."""
        if self.counter.last_end != self.pc:
            return False
        return any(bytes(self.engine.mem_read(self.pc - len(code), len(code))) == code for code in encodings)

    def _jumped_from(self) -> int:
        """Address of the last instruction of the block before."""
        start = self.counter.last_address
        code = bytes(self.engine.mem_read(start, self.counter.last_end - start))
        return start + max((offset for offset, _ in instruction_lengths(code)), default=0)

    def _waiting(self) -> Stop:
        if self._just_executed(_WAITS["wfi"]):
            return Stop.WAIT_INTERRUPT
        if self._just_executed(_WAITS["wfe"]):
            return Stop.WAIT_EVENT
        if self._just_executed(_YIELD):
            return Stop.CONTINUE
        raise self.fault("the core stopped for no known reason")

    def _after_error(self, error: UcError) -> Stop:
        if self._bad_access is not None:
            access, address = self._bad_access
            if access == const.UC_MEM_FETCH_UNMAPPED and address >= 0xFFFFFFE0:
                hint = "an exception return outside an exception handler"
                raise self.fault(ACCESS[access], address, hint) from None
            what = ACCESS.get(access, "bad memory access")
            raise self.fault(what, address, pc=self._jumped_from() if "jump" in what else None) from None
        if error.errno == const.UC_ERR_INSN_INVALID:
            if self.counter.last_end == self.pc and self.counter.last_address != self.pc:
                return self._waiting()
            raise self.fault("undefined instruction") from None
        raise self.fault(f"the engine gave up: {error}") from None

    def _after_interrupt(self, number: int) -> Stop:
        if number == _EXCEPTION_EXIT:
            return self._leave(self.pc | 1)
        if number == _SUPERVISOR_CALL:
            self._supervisor_call()
        elif number == _BREAKPOINT:
            if self.debugged:
                return Stop.BREAKPOINT
            code = self.engine.mem_read(self.pc, 1)[0]
            hint = "semihosting is not available here; the UART is" if code == 0xAB else ""
            raise self.fault(f"breakpoint {code}", hint=hint)
        elif number == _PREFETCH_ABORT:
            hint = "the vector it came through is erased flash" if self.pc == 0xFFFFFFFE else ""
            raise self.fault(ACCESS[const.UC_MEM_FETCH_PROT], self.pc, hint)
        else:
            raise self.fault(f"the engine raised exception {number}")
        return Stop.CONTINUE

    def _supervisor_call(self) -> None:
        priority = self.control.priority(SVCALL)
        if priority >= self.control.running_priority() or self.masks(priority):
            raise self.fault("HardFault: SVC where its exception cannot be taken")
        self.enter(SVCALL)

    def enter(self, exception: int) -> None:
        """Take an exception: push the frame, switch to handler mode, jump through the vector."""
        control, xpsr = self.read(arm.UC_ARM_REG_CONTROL), self.read(arm.UC_ARM_REG_XPSR)
        from_handler = bool(xpsr & 0x1FF)
        with_fpu = bool(control & _FPCA)
        stack = self.read(arm.UC_ARM_REG_SP)
        frame = (stack - (0x68 if with_fpu else 0x20)) & 0xFFFFFFF8
        words = [self.read(register) for register in _FRAME]
        words += [self.pc, xpsr & ~0x200 | (stack & 4) << 7]
        if with_fpu:
            words += [self.read(register) for register in _SINGLES]
            words += [self.read(arm.UC_ARM_REG_FPSCR), 0]
        data = b"".join(word.to_bytes(4, "little") for word in words)
        if not self.in_ram(frame, len(data)):
            raise self.fault(f"exception {exception} cannot be stacked, the stack is at", stack)
        self.engine.mem_write(frame, data)
        self.write(arm.UC_ARM_REG_SP, frame)
        link = 0xFFFFFFF1 if from_handler else 0xFFFFFFFD if control & _SPSEL else 0xFFFFFFF9
        self.write(arm.UC_ARM_REG_XPSR, xpsr & 0xF8000000 | _THUMB | exception)
        self.write(arm.UC_ARM_REG_CONTROL, control & 1)
        self.write(arm.UC_ARM_REG_LR, link & ~0x10 if with_fpu else link)
        self.control.enter(exception)
        self._jump(
            self.read_word(self.control.vectors + 4 * exception), f"the vector of exception {exception}"
        )
        self.counter.event = 1
        self.counter.follow_break(EXCEPTION_ENTRY_CYCLES)

    def _leave(self, link: int) -> Stop:
        """Return from an exception by the EXC_RETURN value `link`; SLEEPONEXIT sends the core to sleep."""
        exception = self.read(arm.UC_ARM_REG_IPSR)
        if not exception:
            raise self.fault("exception return outside an exception handler", link)
        if link | 0x10 not in (0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFFD):
            raise self.fault("HardFault: impossible EXC_RETURN", link)
        with_fpu, to_process_stack = not link & 0x10, bool(link & 4)
        stack = self.read(arm.UC_ARM_REG_PSP if to_process_stack else arm.UC_ARM_REG_SP)
        size = 0x68 if with_fpu else 0x20
        if not self.in_ram(stack, size):
            raise self.fault("exception return cannot be unstacked, the stack is at", stack)
        data = bytes(self.engine.mem_read(stack, size))
        words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
        returns_to_thread = bool(link & 8)
        if returns_to_thread == bool(words[7] & 0x1FF):
            raise self.fault("HardFault: EXC_RETURN and the stacked mode disagree", link)
        self.control.leave(exception)
        if exception != 2:
            self.write(arm.UC_ARM_REG_FAULTMASK, 0)
        privilege = self.read(arm.UC_ARM_REG_CONTROL) & 1
        after = stack + len(data) + (4 if words[7] & 0x200 else 0)
        self.write(arm.UC_ARM_REG_XPSR_NZCVQG, words[7] & _FLAGS)
        self.write(arm.UC_ARM_REG_XPSR, words[7] & ~0x200)
        self.write(arm.UC_ARM_REG_CONTROL, privilege | (_SPSEL if to_process_stack else 0))
        for register, word in zip(_FRAME, words, strict=False):
            self.write(register, word)
        self.write(arm.UC_ARM_REG_SP, after)
        if with_fpu:
            for register, word in zip(_SINGLES, words[8:24], strict=True):
                self.write(register, word)
            self.write(arm.UC_ARM_REG_FPSCR, words[24])
            control = self.read(arm.UC_ARM_REG_CONTROL)
            self.write(arm.UC_ARM_REG_CONTROL, control & 3 | _FPCA)
        self.pc = words[6] & ~1
        self.write(arm.UC_ARM_REG_PC, self.pc | 1)
        self.counter.event = 1
        self.counter.follow_break(EXCEPTION_RETURN_CYCLES)
        sleeps = returns_to_thread and self.control.sleeps_on_exit
        return Stop.WAIT_INTERRUPT if sleeps else Stop.CONTINUE
