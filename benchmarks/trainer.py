"""What a round costs on a board: instructions and time of training, memory, and bytes on the serial line.

    python benchmarks/trainer.py [--json FILE]

Runs the firmware on the emulated nRF52840: instructions are exact, cycles an estimate. Each round is compared
with the twin in Python, bit for bit. The line's seconds are those of its bits at 115200 baud, 8N1.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyc.learning.federation.chips import ChipClient, firmware_for
from tinyc.learning.federation.client import NetworkShape, Samples, TrainConfig
from tinyc.learning.federation.trainer import ExactClient

NETWORKS = {
    "sine": (NetworkShape((1, 32, 32, 1), "tanh", "mse"), 32),
    "omniglot": (NetworkShape((196, 64, 32, 5), "relu", "softmax"), 10),
}
ROUNDS = {
    "all as float32": {"top": 1.0},
    "top 50 % as int8": {"top": 0.5},
    "top 20 % as int8": {"top": 0.2},
    "local head, top 50 %": {"top": 0.5, "head": "zero"},
}
BAUD = 115_200
_BITS = 10  # a byte on the line


@dataclass(frozen=True, slots=True)
class Noise:
    """Samples of the right shape; what they are does not change the work."""

    shape: NetworkShape

    def draw(self, count: int, seed: int) -> Samples:
        chance = np.random.default_rng(seed)
        inputs = chance.normal(0, 1, (count, self.shape.inputs)).astype(np.float32)
        if self.shape.loss == "softmax":
            return Samples(inputs, chance.integers(0, self.shape.outputs, count).astype(np.int32))
        return Samples(inputs, chance.normal(0, 1, (count, self.shape.outputs)).astype(np.float32))


class Counted(ChipClient):
    """A chip whose line counts its bytes."""

    def count(self) -> None:
        line = self.machine.transport
        self.sent = self.received = 0
        write, read = line.write, line.read

        def counted_write(data: bytes) -> None:
            self.sent += len(data)
            write(data)

        def counted_read(size: int, timeout: float) -> bytes:
            data = read(size, timeout)
            self.received += len(data)
            return data

        line.write, line.read = counted_write, counted_read  # type: ignore[method-assign]


def measure(name: str) -> list[dict[str, Any]]:
    """A row for each kind of round of a network."""
    shape, samples = NETWORKS[name]
    firmware = firmware_for(shape, "nrf52840_bare")
    sizes = firmware.firmware.sizes
    rows = []
    for kind, changes in ROUNDS.items():
        chip = Counted("chip", firmware, Noise(shape))
        twin = ExactClient("twin", shape, Noise(shape))
        chip.count()
        chip.machine.watch(["trainer_take", "trainer_encode"])
        config = TrainConfig(rate=0.02, samples=samples, seed=1, **changes)  # type: ignore[arg-type]
        found, expected = (client.train(shape.initial(1), config) for client in (chip, twin))
        watched = chip.machine.profile().watched
        train, encode = watched["trainer_take"], watched["trainer_encode"]
        rows.append(
            {
                "network": name,
                "parameters": shape.parameters,
                "round": kind,
                "samples": samples,
                "equals_twin": found.delta.tobytes() == expected.delta.tobytes(),
                "instructions_a_sample": train.instructions // samples,
                "milliseconds_a_sample": 1000 * train.cycles_estimated / samples / firmware.board.clock_hz,
                "instructions_encode": encode.instructions,
                "milliseconds_encode": 1000 * encode.cycles_estimated / firmware.board.clock_hz,
                "delta_bytes": found.sent_bytes,
                "parameter_bytes": found.received_bytes,
                "line_bytes_to_board": chip.sent,
                "line_bytes_from_board": chip.received,
                "line_seconds": (chip.sent + chip.received) * _BITS / BAUD,
                "ram": sizes.ram,
                "flash": sizes.flash,
                "stack_bound": sizes.stack_bound,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [row for name in NETWORKS for row in measure(name)]
    for row in rows:
        print(
            f"{row['network']:9} {row['round']:22} {row['instructions_a_sample']:>8,} instr/sample "
            f"{row['milliseconds_a_sample']:6.2f} ms  encode {row['milliseconds_encode']:6.1f} ms  "
            f"delta {row['delta_bytes']:>6,} B  line {row['line_seconds']:5.2f} s  "
            f"RAM {row['ram']:,} B flash {row['flash']:,} B stack {row['stack_bound']} B  "
            f"{'= twin' if row['equals_twin'] else '!= TWIN'}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
