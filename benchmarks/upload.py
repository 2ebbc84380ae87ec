"""How long an upload by SMP takes on the emulated nRF52840, with the rates of its serial line and its flash.

    python benchmarks/upload.py [--bytes 300000]

The limit is what the serial line carries of the file if the host sends without a pause. Times are the
chip's. The host of the emulation answers at once: on a desk, its time between an answer and the next
request comes on top. Erases and writes take as long as the data sheet says, not as long as a chip takes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.image_management import ImageErase

from tinyc import pipeline
from tinyc.boards import Board, load_board
from tinyc.cli import output
from tinyc.device.smp_line import LineTransport
from tinyc.emulator import Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.flash import FlashImage
from tinyc.emulator.transport import InProcessTransport
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Relu
from tinyc.ir.tensor import DType, Quantization, Tensor

MAGIC = bytes.fromhex("3db8f396")  # of an image; the rest of the file may be anything
SLOT = slice(0x7D000, 0xF5000)
_TIMED = FlashRules(strict=True, timed=True)
_PATIENCE = 600.0  # seconds of this machine


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload: bytes of the file, seconds of the chip, bytes per second that the line could carry."""

    size: int
    seconds: float
    limit: float

    @property
    def rate(self) -> float:
        return self.size / self.seconds

    @property
    def share(self) -> float:
        return self.rate / self.limit


class CountingLine:
    """The serial line, which counts what the host sends."""

    def __init__(self, line: InProcessTransport) -> None:
        self._line, self.sent = line, 0

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        self._line.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        return self._line.read(size, timeout)

    def close(self) -> None:
        self._line.close()


def slot_board(baud: int = 115_200) -> Board:
    """The board with slots for images, at a rate of its serial port."""
    return replace(load_board("nrf52840"), uart_baud=baud)


def any_model() -> Graph:
    """What the firmware computes does not matter here."""
    tensors = [Tensor(name, (1, 4), DType.INT8, Quantization((0.1,), (0,))) for name in ("x", "y")]
    op = Relu(name="relu", inputs=("x",), outputs=("y",))
    return verify(Graph("any", {tensor.name: tensor for tensor in tensors}, (op,), ("x",), ("y",)))


def file_of(size: int, seed: int = 1) -> bytes:
    """A file that counts as an image as long as nobody starts it."""
    return MAGIC + random.Random(seed).randbytes(size - len(MAGIC))


def measure(elf: Path, board: Board, data: bytes, *, erased: bool) -> Upload:
    """Upload into a slot that is erased by the group's own command before, or full of something else.

    Raises AssertionError when the slot then does not hold the file.
    """
    with Machine(elf, board, flash_rules=_TIMED, timed_line=True) as machine:
        content = bytearray(machine.flash())
        content[SLOT] = random.Random(2).randbytes(SLOT.stop - SLOT.start)
        content[SLOT.stop - 4096 : SLOT.stop] = b"\xff" * 4096
        machine.flash_array.load(FlashImage(bytes(content)))
        line = CountingLine(machine.transport)

        async def run() -> tuple[int, int]:
            async with SMPClient(LineTransport(line), "", timeout_s=_PATIENCE) as client:
                if erased:
                    assert success(await client.request(ImageErase()))
                before, sent = machine.now, line.sent
                async for _ in client.upload(data, first_timeout_s=_PATIENCE):
                    pass
                return machine.now - before, line.sent - sent

        cycles, sent = asyncio.run(run())
        start = SLOT.start + 4096
        assert machine.flash()[start : start + len(data)] == data
    limit = board.uart_baud / 10 * len(data) / sent
    return Upload(len(data), cycles / board.clock_hz, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bytes", type=int, default=300_000)
    options = parser.parse_args()
    rows = []
    for baud in (115_200, 230_400, 460_800, 1_000_000):
        board = slot_board(baud)
        program = pipeline.compile_graph(any_model(), board, name="any")
        with tempfile.TemporaryDirectory() as folder:
            elf = pipeline.build(program, Path(folder)).elf
            for erased in (True, False):
                done = measure(elf, board, file_of(options.bytes), erased=erased)
                rows.append(
                    (
                        f"{baud:,}",
                        "yes" if erased else "no",
                        f"{done.seconds:.2f}",
                        f"{done.rate:,.0f}",
                        f"{done.limit:,.0f}",
                        f"{100 * done.share:.1f}",
                    )
                )
    columns = ("baud>", "erased before", "seconds>", "bytes/s>", "limit>", "% of limit>")
    output.table(f"Upload of {options.bytes:,} bytes", columns, rows)


if __name__ == "__main__":
    main()
