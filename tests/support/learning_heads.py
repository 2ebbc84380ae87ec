"""Heads compiled for this machine, under sanitizers: the C answers commands that come by a pipe."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tinyc.learning.emit import head_sources, head_texts
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.heads.design import Floats, HeadDesign, Int8s
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached, find_compiler

_MAIN = Path(__file__).resolve().parent.parent / "host" / "learning_head_main.c"


ZERO_POINT = -37


def fitted(kind: str, latent: int, capacity: int, options: HeadOptions) -> HeadDesign:
    """A head fitted to random clusters, with an element that never varies where there is room for one.

    A classifier has two classes to spare.
    """
    rng = np.random.default_rng((latent, capacity))
    classes = 3 if kind in ("autoencoder", "regression") else capacity - 2
    labels = np.repeat(np.arange(classes), 40)
    centres = rng.normal(0, 40, (classes, latent))
    values = np.clip(np.rint(centres[labels] + rng.normal(0, 12, (len(labels), latent))), -128, 127)
    if latent > 2:
        values[:, 2] = ZERO_POINT
    targets = rng.normal(0, 1, (len(labels), capacity)).astype(np.float32)
    return fit(
        kind,
        values.astype(np.int8),
        targets if kind in ("autoencoder", "regression") else labels,
        zero_point=ZERO_POINT,
        scale=0.1,
        capacity=capacity,
        options=options,
    )


def random_latent(rng: np.random.Generator, size: int) -> Int8s:
    """Anything from constant extremes to noise."""
    kind = rng.integers(5)
    if kind == 0:
        return np.full(size, rng.choice([-128, 127, ZERO_POINT, 0]), np.int8)
    if kind == 1:
        return rng.choice(np.array([-128, 127], np.int8), size)
    if kind == 2:
        return np.clip(rng.normal(0, 10, size), -128, 127).astype(np.int8)
    return rng.integers(-128, 128, size).astype(np.int8)


def all_texts(design: HeadDesign) -> dict[str, str]:
    """The head's C, as a firmware has it."""
    return head_texts(design) | head_sources(design)


def zig_compiler() -> HostCompiler:
    spec = importlib.util.find_spec("ziglang")
    assert spec is not None and spec.origin is not None
    return HostCompiler((sys.executable, "-m", "ziglang", "cc"), spec.origin)


class HostHead:
    """The C of a head in a process of its own, under sanitizers unless optimized. A context manager."""

    def __init__(
        self, design: HeadDesign, compiler: HostCompiler | None = None, *, optimize: bool = False
    ) -> None:
        self.design = design
        compiler = compiler or find_compiler()
        texts = all_texts(design) | {"learning_head_main.c": _MAIN.read_text(encoding="utf-8")}
        native = ("-O3", "-march=native")
        how = native if optimize else ("-O1", *compiler.sanitizer_flags())
        flags = (*WARNINGS, "-ffp-contract=off", *how)
        path = compile_cached(compiler, texts, flags, "head")
        self._process = subprocess.Popen(
            [str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _, messages = self._process.communicate()
        if kind is None:
            assert self._process.returncode == 0, messages.decode()

    def _ask(self, request: bytes, answer: int) -> bytes:
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._process.stdin.write(request)
        self._process.stdin.flush()
        raw = self._process.stdout.read(answer) if answer else b""
        if len(raw) < answer:
            raise AssertionError(self._process.stderr.read().decode())
        return raw

    def scores(self, latent: Int8s) -> tuple[Floats, int, np.float32]:
        """Scores, the best class and the surprise."""
        capacity = self.design.capacity
        raw = self._ask(b"S" + latent.tobytes(), 4 * capacity + 8)
        values = np.frombuffer(raw, np.float32)
        return values[:capacity], struct.unpack("<I", raw[4 * capacity :][:4])[0], values[-1]

    def update(self, latent: Int8s, target: int | Floats) -> None:
        if self.design.is_regression:
            self._ask(b"V" + latent.tobytes() + np.asarray(target, np.float32).tobytes(), 0)
        else:
            self._ask(b"U" + latent.tobytes() + struct.pack("<I", target), 0)

    def normalise(self, latent: Int8s) -> None:
        self._ask(b"N" + latent.tobytes(), 0)

    def error(self, scores: Floats, target: Floats) -> np.float32:
        raw = self._ask(b"E" + scores.tobytes() + target.astype(np.float32).tobytes(), 4)
        return np.frombuffer(raw, np.float32)[0]

    def to_bytes(self) -> bytes:
        return self._ask(b"D", self.design.state_bytes)

    def load(self, state: bytes) -> None:
        self._ask(b"L" + state, 0)

    def is_valid(self) -> bool:
        return self._ask(b"C", 1) == b"\1"
