"""Exact counting of what the emulated core executes, natively or in Python, with the same results.

Both counters hook every translated block. A block is looked at once (`timing.block_cost`), and
afterwards its executions and the jumps out of it are counted. They are also the only place where
a run is stopped, always between two blocks, so that nothing is counted that was not executed.
Code that is rewritten in place while it runs keeps the cost of what was there before.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unicorn import Uc
from unicorn.arm_const import UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK, UC_ARM_REG_PRIMASK
from unicorn.unicorn_const import UC_HOOK_BLOCK, UC_HOOK_CODE

from tinyc.emulator import native_library
from tinyc.emulator.counting import (
    FOREVER,
    IT_STATE,
    BlockCount,
    Counter,
    CounterRegisters,
    Describe,
    Watched,
)
from tinyc.emulator.timing import BlockCost


class _Block(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("address", "size", "instructions", "cycles")),
        *((name, ctypes.c_uint32) for name in ("taken_cycles", "sends_event")),
        *((name, ctypes.c_uint64) for name in ("count", "taken")),
        *((name, ctypes.c_uint32) for name in ("watched", "reserved")),
    )


class _Watched(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("address", "depth")),
        *((name, ctypes.c_uint64) for name in ("calls", "instructions", "cycles")),
    )


class _Shared(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("instructions", "cycles", "deadline")),
        *((name, ctypes.c_uint32) for name in ("stop_request", "masked_priority", "event", "stopped")),
        *((name, ctypes.c_uint32) for name in ("last_address", "last_end", "block_count", "watch_count")),
        *((name, ctypes.c_uint32) for name in ("misaligned", "misaligned_pc")),
    )


class _Access(ctypes.Structure):
    _fields_ = (("counter", ctypes.c_void_p), ("base", ctypes.c_uint32))


_DESCRIBE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(_Block))


def _shared(name: str) -> Any:
    def read(self: NativeCounter) -> int:
        return int(getattr(self._state, name))

    def write(self: NativeCounter, value: int) -> None:
        setattr(self._state, name, value)

    return property(read, write)


class NativeCounter:
    """The counter of `native/counter.c`, called by the engine without Python in between."""

    instructions = _shared("instructions")
    cycles = _shared("cycles")
    deadline = _shared("deadline")
    stop_request = _shared("stop_request")
    masked_priority = _shared("masked_priority")
    event = _shared("event")
    stopped = _shared("stopped")
    last_address = _shared("last_address")
    last_end = _shared("last_end")
    misaligned = _shared("misaligned")
    misaligned_pc = _shared("misaligned_pc")

    def __init__(
        self, engine: Uc, describe: Describe, registers: CounterRegisters, library: ctypes.CDLL
    ) -> None:
        from unicorn.unicorn_py3 import unicorn as binding

        def describe_block(address: int, size: int, block: Any) -> int:
            cost = describe(address, size)
            if cost is None:
                return 1
            one = block.contents
            one.instructions, one.cycles, one.taken_cycles = cost.instructions, cost.cycles, cost.taken_cycles
            one.sends_event = int(cost.sends_event)
            return 0

        self._library = library
        self._callback = _DESCRIBE(describe_block)
        library.tinyc_counter_new.restype = ctypes.c_void_p
        library.tinyc_counter_blocks.restype = ctypes.POINTER(_Block)
        library.tinyc_counter_watched.restype = ctypes.POINTER(_Watched)
        pointer = ctypes.c_void_p
        handle = library.tinyc_counter_new(
            self._callback,
            ctypes.cast(binding.uclib.uc_emu_stop, pointer),
            ctypes.cast(binding.uclib.uc_reg_read, pointer),
            *map(ctypes.c_int, (registers.stack_pointer, registers.link, registers.status)),
        )
        if not handle:
            raise MemoryError("no memory for the block counter")
        self._handle = pointer(handle)
        self._state = _Shared.from_address(handle)
        self.deadline = FOREVER
        # The engine must not outlive the counter: freed when the engine is, and not at exit.
        weakref.finalize(engine, library.tinyc_counter_free, self._handle).atexit = False
        self._library_of_engine, self._engine = binding.uclib, weakref.ref(engine)
        self._bases: dict[int, _Access] = {}
        self._checks: list[int] = []
        self._hook(UC_HOOK_BLOCK, library.tinyc_count_block, handle, 1, 0)
        engine.ctl_flush_tb()  # blocks translated before the hook would go uncounted

    def _hook(self, kind: int, function: Any, user: int, begin: int, end: int) -> int:
        engine, hook = self._engine(), ctypes.c_size_t()
        assert engine is not None
        status = self._library_of_engine.uc_hook_add(
            engine._uch,
            ctypes.byref(hook),
            kind,
            ctypes.cast(function, ctypes.c_void_p),
            ctypes.c_void_p(user),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if status:
            raise RuntimeError(f"the engine refused a hook: {status}")
        return hook.value

    def follow_break(self, cycles: int) -> None:
        self._library.tinyc_counter_break(self._handle, ctypes.c_uint32(cycles))

    def reset(self) -> None:
        self._library.tinyc_counter_reset(self._handle)

    def watch(self, addresses: Sequence[int]) -> None:
        array = (ctypes.c_uint32 * len(addresses))(*addresses)
        taken = self._library.tinyc_counter_watch(self._handle, array, ctypes.c_uint32(len(addresses)))
        if taken != len(addresses):
            raise ValueError(f"{len(addresses)} functions are too many to watch, {taken} are possible")

    def blocks(self) -> list[BlockCount]:
        raw = self._library.tinyc_counter_blocks(self._handle)
        found = (raw[i] for i in range(self._state.block_count))
        return [
            BlockCount(
                b.address,
                b.size,
                b.instructions,
                b.cycles * b.count + b.taken_cycles * b.taken,
                b.count,
                b.taken,
            )
            for b in found
            if b.count
        ]

    def watched(self) -> list[Watched]:
        raw = self._library.tinyc_counter_watched(self._handle)
        return [
            Watched(w.address, w.calls, w.instructions, w.cycles)
            for w in (raw[i] for i in range(self._state.watch_count))
        ]

    def check_alignment(self, accesses: Sequence[tuple[int, int]]) -> None:
        engine = self._engine()
        assert engine is not None
        for hook in self._checks:
            self._library_of_engine.uc_hook_del(engine._uch, ctypes.c_size_t(hook))
        self._checks.clear()
        check = self._library.tinyc_check_alignment
        for address, base in accesses:
            user = self._bases.get(base)
            if user is None:
                user = self._bases[base] = _Access(self._handle, base)
            self._checks.append(self._hook(UC_HOOK_CODE, check, ctypes.addressof(user), address, address))


@dataclass(slots=True)
class _PythonBlock:
    cost: BlockCost
    end: int
    count: int = 0
    taken: int = 0


@dataclass(slots=True)
class _PythonWatched:
    depth: int = 0
    calls: int = 0
    instructions: int = 0
    cycles: int = 0


class PythonCounter:
    """The same counter without a compiler; many times slower."""

    def __init__(self, engine: Uc, describe: Describe, registers: CounterRegisters) -> None:
        self._registers = registers
        self.instructions = self.cycles = 0
        self.deadline = FOREVER
        self.stop_request = self.masked_priority = self.event = self.stopped = 0
        self.last_address = self.last_end = self.misaligned = self.misaligned_pc = 0
        self._engine, self._describe = engine, describe
        self._blocks: dict[tuple[int, int], _PythonBlock] = {}
        self._previous: _PythonBlock | None = None
        self._watched: dict[int, _PythonWatched] = {}
        # (function, return address, stack pointer, instructions, cycles at entry)
        self._stack: list[tuple[int, int, int, int, int]] = []
        self._checks: list[int] = []
        engine.hook_add(UC_HOOK_BLOCK, self._on_block)
        engine.ctl_flush_tb()

    def _read(self, register: int) -> int:
        return int(self._engine.reg_read(register))

    def _unmasked(self) -> bool:
        if self._read(UC_ARM_REG_PRIMASK) & 1 or self._read(UC_ARM_REG_FAULTMASK) & 1:
            return False
        base = self._read(UC_ARM_REG_BASEPRI) & 0xFF
        return base == 0 or self.masked_priority - 1 < base

    def _in_it_block(self) -> bool:
        status = self._registers.status
        return bool(status and self._read(status) & IT_STATE)

    def _stop(self) -> None:
        self.stopped = 1
        self._engine.emu_stop()

    def _on_block(self, _engine: Uc, address: int, size: int, _user: object) -> None:
        if self.stopped:
            return
        wanted = self.stop_request or self.cycles >= self.deadline
        wanted = wanted or (self.masked_priority and self._unmasked())
        if wanted and not self._in_it_block():
            self._stop()
            return
        block = self._blocks.get((address, size))
        if block is None:
            cost = self._describe(address, size)
            if cost is None:
                self._stop()
                return
            block = self._blocks[address, size] = _PythonBlock(cost, address + size)
        before = self._previous
        if before is not None and before.end != address:
            before.taken += 1
            self.cycles += before.cost.taken_cycles
        if self._watched:
            self._watch(address)
        block.count += 1
        self.instructions += block.cost.instructions
        self.cycles += block.cost.cycles
        self.event |= block.cost.sends_event
        self._previous = block
        self.last_address, self.last_end = address, block.end

    def _watch(self, address: int) -> None:
        while self._stack:
            function, link, stack, instructions, cycles = self._stack[-1]
            if link != address or self._read(self._registers.stack_pointer) < stack:
                break
            watched = self._watched[function]
            watched.depth -= 1
            if not watched.depth:
                watched.instructions += self.instructions - instructions
                watched.cycles += self.cycles - cycles
            self._stack.pop()
        if address not in self._watched:
            return
        link, stack = self._read(self._registers.link) & ~1, self._read(self._registers.stack_pointer)
        entry = (address, link, stack)
        if self._stack and self._stack[-1][:3] == entry:
            return
        self._stack.append((*entry, self.instructions, self.cycles))
        self._watched[address].calls += 1
        self._watched[address].depth += 1

    def follow_break(self, cycles: int) -> None:
        self._previous = None
        self.cycles += cycles

    def reset(self) -> None:
        for block in self._blocks.values():
            block.count = block.taken = 0
        for watched in self._watched.values():
            watched.calls = watched.instructions = watched.cycles = 0
        self.instructions = 0
        self._stack = [(*frame[:3], 0, self.cycles) for frame in self._stack]

    def watch(self, addresses: Sequence[int]) -> None:
        self._watched = {address: _PythonWatched() for address in addresses}
        self._stack = []

    def blocks(self) -> list[BlockCount]:
        return [
            BlockCount(
                address,
                size,
                block.cost.instructions,
                block.cost.cycles * block.count + block.cost.taken_cycles * block.taken,
                block.count,
                block.taken,
            )
            for (address, size), block in self._blocks.items()
            if block.count
        ]

    def watched(self) -> list[Watched]:
        watched = self._watched.items()
        return [Watched(address, one.calls, one.instructions, one.cycles) for address, one in watched]

    def check_alignment(self, accesses: Sequence[tuple[int, int]]) -> None:
        for hook in self._checks:
            self._engine.hook_del(hook)
        self._checks = [
            self._engine.hook_add(UC_HOOK_CODE, self._on_access, base, address, address)
            for address, base in accesses
        ]

    def _on_access(self, _engine: Uc, address: int, _size: int, base: int) -> None:
        value = self._read(base)
        if value & 3 and not self.misaligned:
            self.misaligned, self.misaligned_pc = value, address
            self._engine.emu_stop()


def make_counter(
    engine: Uc, describe: Describe, registers: CounterRegisters, *, native: bool = True
) -> Counter:
    """The native counter where it can be compiled and is wanted, else the Python one."""
    library = native_library.load() if native else None
    if library is None:
        return PythonCounter(engine, describe, registers)
    return NativeCounter(engine, describe, registers, library)
