"""The firmware's trainer on this machine, under sanitizers, and rounds to give it."""

from __future__ import annotations

import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyc.emit.trainer import TrainerSettings, learning_texts
from tinyc.learning.federation.client import NetworkShape, Samples, Vector
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached, find_compiler

_MAIN = Path(__file__).resolve().parent.parent / "host" / "trainer_main.c"
HEADS = {"shared": 0, "zero": 1, "kept": 2}
DONE, NO_ROUND, OUT_OF_RANGE, NOT_FINITE, OTHER_START = range(5)
IDLE, TRAINING, ENCODED = range(3)


@dataclass(frozen=True, slots=True)
class RandomTask:
    """Samples without a pattern, of a size that training stays calm with."""

    network: NetworkShape
    spread: float = 1.0

    def draw(self, count: int, seed: int) -> Samples:
        chance = np.random.default_rng(seed)
        inputs = chance.normal(0, self.spread, (count, self.network.inputs)).astype(np.float32)
        if self.network.loss == "softmax":
            return Samples(inputs, chance.integers(0, self.network.outputs, count).astype(np.int32))
        targets = chance.normal(0, self.spread, (count, self.network.outputs))
        return Samples(inputs, targets.astype(np.float32))


def settings_of(shape: NetworkShape, *, keeps_start: bool = True) -> TrainerSettings:
    return TrainerSettings(shape.layers, shape.hidden, shape.loss, keeps_start)


class HostTrainer:
    """A script of requests for `trainer_main.c`; `run` gives the answers."""

    def __init__(
        self, shape: NetworkShape, *, keeps_start: bool = True, compiler: HostCompiler | None = None
    ) -> None:
        self.shape = shape
        compiler = compiler or find_compiler()
        texts = learning_texts(settings_of(shape, keeps_start=keeps_start))
        texts["trainer_main.c"] = _MAIN.read_text(encoding="utf-8")
        flags = (*WARNINGS, "-O1", *compiler.sanitizer_flags())
        self._program = compile_cached(compiler, texts, flags, "trainer")
        self._script: list[bytes] = []

    def start(self, values: Vector, offset: int = 0) -> None:
        data = values.astype("<f4").tobytes()
        self._script.append(b"S" + struct.pack("<II", offset, len(data)) + data)

    def begin(
        self, start: Vector, rate: float, head_samples: int = 0, head: str = "shared", crc: int | None = None
    ) -> None:
        data = start.astype("<f4").tobytes()
        found = zlib.crc32(data) if crc is None else crc
        self._script.append(
            b"B" + struct.pack("<IfIIII", 1, rate, head_samples, HEADS[head], len(data), found)
        )

    def take(self, position: int, data: bytes) -> None:
        self._script.append(b"T" + struct.pack("<II", position, len(data)) + data)

    def encode(self, layers: int, keep: int) -> None:
        self._script.append(b"E" + struct.pack("<II", layers, keep))

    def parameters(self) -> None:
        self._script.append(b"P")

    def info(self) -> None:
        self._script.append(b"I")

    def run(self) -> Answers:
        script, self._script = b"".join(self._script), []
        done = subprocess.run(
            [str(self._program)],
            input=script,
            capture_output=True,
            check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return Answers(done.stdout, self.shape)


class Answers:
    """Read in the order of the requests."""

    def __init__(self, data: bytes, shape: NetworkShape) -> None:
        self._data, self._shape = data, shape

    def _take(self, size: int) -> bytes:
        assert len(self._data) >= size
        part, self._data = self._data[:size], self._data[size:]
        return part

    def word(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def words(self, count: int) -> list[int]:
        return [self.word() for _ in range(count)]

    def parameters(self) -> Vector:
        return np.frombuffer(self._take(4 * self._shape.parameters), "<f4")

    def info(self) -> tuple[int, int, int, np.float32]:
        """State, samples, position and the sum of the losses."""
        state, samples, position = (self.word() for _ in range(3))
        return state, samples, position, np.frombuffer(self._take(4), "<f4")[0]

    def encoded(self) -> tuple[int, bytes]:
        return self.word(), self._take(self.word())

    def done(self) -> bool:
        return not self._data
