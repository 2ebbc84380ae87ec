"""The cost of one inference on the emulated chip, by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyc.device.client import DeviceClient
from tinyc.emit import symbols
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine
from tinyc.program import Program
from tinyc.report import layer_entries
from tinyc.variants import candidates
from tinyc.verification import random_vectors


def profile(program: Program, elf: Path, seed: int = 0) -> dict[str, Any]:
    """Executed instructions (exact) and Cortex-M4 cycles (estimated) of one random input.

    The total is that of `<model>_invoke`; each layer is counted with everything it calls.
    """
    names = [symbols.layer(program, step) for step in program.steps]
    invoke = f"{symbols.prefix(program)}_invoke"
    machine = Machine(elf, program.board)
    try:
        engine = DeviceEngine(DeviceClient(machine.transport), program)
        machine.watch([invoke, *names])
        machine.reset_profile()
        engine.run(random_vectors(program.graph, 1, seed)[0])
        counts = machine.profile().watched
    finally:
        machine.transport.close()

    def costs(symbol: str) -> dict[str, Any]:
        cycles = counts[symbol].cycles_estimated
        return {
            "instructions": counts[symbol].instructions,
            "cycles_estimated": cycles,
            "milliseconds_estimated": cycles / program.board.clock_hz * 1000,
        }

    layers = [
        entry | costs(symbol) | {"variants": [candidate.to_json() for candidate in variants]}
        for entry, symbol, variants in zip(layer_entries(program), names, candidates(program), strict=True)
    ]
    return {
        "model": program.name,
        "digest": program.digest,
        "board": program.board.name,
        "soc": program.board.soc,
        "clock_hz": program.board.clock_hz,
        "optimize": program.optimize.value,
        **costs(invoke),
        "macs": program.graph.macs(),
        "weights": program.weight_bytes,
        "layers": layers,
    }
