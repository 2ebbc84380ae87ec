"""A small program with an audio front end, and its C run on this machine under sanitizers."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyc.audio.emit import render_audio
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.emit.model import render_model
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, FullyConnected
from tinyc.ir.tensor import Array, DType, Quantization, Tensor
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

_MAIN = Path(__file__).parent.parent / "host" / "audio_main.c"


def audio_program(settings: AudioSettings, scale: float, zero_point: int) -> Program:
    """A program called `kws`: one fully connected layer behind the front end."""
    size = settings.features
    weights = np.ones((2, size), np.int8)
    tensors = [
        Tensor("x", (1, size), DType.INT8, Quantization((scale,), (zero_point,))),
        Tensor("w", weights.shape, DType.INT8, Quantization((0.01,), (0,)), weights),
        Tensor("y", (1, 2), DType.INT8, Quantization((1.0,), (0,))),
    ]
    op = FullyConnected(name="dense", inputs=("x", "w"), outputs=("y",), activation=Activation.NONE)
    graph = verify(Graph("kws", {tensor.name: tensor for tensor in tensors}, (op,), ("x",), ("y",)))
    return compile_graph(graph, load_board("host"), name="kws", audio=settings)


class AudioExecutable:
    """`audio.c` and `model.c` of a program, compiled under AddressSanitizer and UBSan."""

    def __init__(self, program: Program, compiler: HostCompiler) -> None:
        settings = program.audio
        assert settings is not None
        self._size = settings.features
        self._shape = (settings.frames, settings.coefficients)
        texts = {**render_model(program), **render_audio(program)}
        texts["audio_main.c"] = _MAIN.read_text(encoding="utf-8")
        offset = program.plan.buffer_offset("audio")
        defines = (f"-DAUDIO_OFFSET={offset}", f"-DAUDIO_BYTES={AudioFrontEnd(settings).state_bytes}")
        flags = (*WARNINGS, "-O1", *compiler.sanitizer_flags(), *defines)
        self._path = compile_cached(compiler, texts, flags, "audio_main")

    def run(self, clips: Sequence[Sequence[Array]]) -> list[tuple[int, Array]]:
        """(frames, input) for each clip, a clip being its pieces of int16 samples in order."""
        parts = []
        for pieces in clips:
            parts.append(struct.pack("<I", len(pieces)))
            for piece in pieces:
                parts += [struct.pack("<I", len(piece)), np.ascontiguousarray(piece, "<i2").tobytes()]
        done = subprocess.run(
            [str(self._path)],
            input=b"".join(parts),
            capture_output=True,
            check=False,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        record = 4 + self._size
        assert len(done.stdout) == record * len(clips)
        found = []
        for at in range(0, len(done.stdout), record):
            (frames,) = struct.unpack_from("<I", done.stdout, at)
            values = np.frombuffer(done.stdout, np.int8, self._size, at + 4)
            found.append((frames, values.reshape(self._shape)))
        return found
