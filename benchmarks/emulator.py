"""How fast the emulated chip runs: instructions of a model's firmware per second of this machine.

    python benchmarks/emulator.py MODEL.tflite [--runs 20]

A figure of the machine it runs on, not of tinyc's output.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tinyc import frontends, passes, pipeline
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.device.client import DeviceClient
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine
from tinyc.verification import random_vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    graph = passes.legalize(passes.run(frontends.load(options.model)))
    program = pipeline.compile_graph(graph, load_board("nrf52840_bare"), name=options.model.stem)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder))
        for native in (True, False):
            with Machine(firmware.elf, program.board, native=native) as machine:
                engine = DeviceEngine(DeviceClient(machine.transport), program)
                runs = options.runs if native else 1
                vectors = random_vectors(graph, runs + 1, 0)
                engine.run(vectors[0])  # translates the code
                before, start = machine.profile().instructions, time.perf_counter()
                for vector in vectors[1:]:
                    engine.run(vector)
                seconds = time.perf_counter() - start
                count = machine.profile().instructions - before
            rows.append(
                (
                    "native" if native else "Python",
                    f"{count:,}",
                    f"{seconds:.2f}",
                    f"{count / seconds / 1e6:.1f}",
                )
            )
    columns = ("counter", "instructions>", "seconds>", "million instructions per second>")
    output.table(f"{program.name} on the emulated {program.board.soc}", columns, rows)


if __name__ == "__main__":
    main()
