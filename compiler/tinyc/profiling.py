"""The cost of one inference on the emulated chip or on a board, by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyc.device.client import DeviceClient
from tinyc.emit import symbols
from tinyc.emulator import Machine
from tinyc.errors import TinycError
from tinyc.execution import DeviceEngine
from tinyc.program import Program
from tinyc.report import layer_entries
from tinyc.variants import candidates
from tinyc.verification import random_vectors


def profile(program: Program, elf: Path, seed: int = 0) -> dict[str, Any]:
    """Executed instructions (exact) and Cortex-M4 cycles (estimated) of one random input.

    A sentence is as long as there is room for, as it is in predictions. The total is that of
    `<model>_invoke`; each layer is counted with everything it calls.
    """
    *layer_counts, total = counts(program, elf, seed)

    def costs(count: tuple[int, int]) -> dict[str, Any]:
        instructions, cycles = count
        return {
            "instructions": instructions,
            "cycles_estimated": cycles,
            "milliseconds_estimated": cycles / program.board.clock_hz * 1000,
        }

    layers = [
        entry | costs(count) | {"variants": [candidate.to_json() for candidate in variants]}
        for entry, count, variants in zip(
            layer_entries(program), layer_counts, candidates(program), strict=True
        )
    ]
    return _result(program, costs(total), layers)


def measure(program: Program, client: DeviceClient, seed: int = 0) -> dict[str, Any]:
    """CPU cycles of one random input, as the cycle counter of a board measures them.

    The total is that of INVOKE. Raises TinycError for a chip that cannot count them.
    """
    engine = DeviceEngine(client, program)
    vector = random_vectors(program.graph, 1, seed, longest=True)[0]
    engine.run(vector)
    if not engine.cycles:
        raise TinycError(
            "the device tells no cycles",
            where=program.board.name,
            hint="its core has no cycle counter; without --port an emulated chip counts instructions",
        )

    def costs(cycles: int) -> dict[str, Any]:
        return {"cycles": cycles, "milliseconds": cycles / program.board.clock_hz * 1000}

    cycles, variants = engine.profile(vector), candidates(program)
    layers = [
        entry | costs(count) | {"variants": [candidate.to_json() for candidate in found]}
        for entry, count, found in zip(layer_entries(program), cycles, variants, strict=True)
    ]
    return _result(program, costs(engine.cycles), layers)


def _result(program: Program, total: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "model": program.name,
        "digest": program.digest,
        "board": program.board.name,
        "soc": program.board.soc,
        "clock_hz": program.board.clock_hz,
        "optimize": program.optimize.value,
        **total,
        "macs": program.graph.macs(),
        "weights": program.weight_bytes,
        "layers": layers,
    }


def counts(program: Program, elf: Path, seed: int = 0) -> tuple[tuple[int, int], ...]:
    """(instructions, estimated cycles) of every layer for one random input as `profile` has, then of all."""
    names = [symbols.layer(program, step) for step in program.steps]
    names.append(f"{symbols.prefix(program)}_invoke")
    machine = Machine(elf, program.board)
    try:
        engine = DeviceEngine(DeviceClient(machine.transport), program, elf)
        machine.watch(names)
        machine.reset_profile()
        engine.run(random_vectors(program.graph, 1, seed, longest=True)[0])
        watched = machine.profile().watched
    finally:
        machine.transport.close()
    return tuple((watched[name].instructions, watched[name].cycles_estimated) for name in names)
