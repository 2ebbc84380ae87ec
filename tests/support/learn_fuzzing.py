"""Builds `tests/fuzz/smp_frame.c` with a learner behind the server: any bytes for commands 10 to 14."""

from __future__ import annotations

import binascii
import sys
from pathlib import Path

import numpy as np

from support import fuzzing, learn_device
from support.learners import Case
from support.smp_device import READ, TINYC, WRITE, frame, message
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached


def compiled(clang: HostCompiler, of: Case) -> Path:
    """The fuzzer as a program."""
    texts = learn_device.texts(of, 2048)
    for name in ("smp_frame.c", "smp_line.h"):
        texts[f"fuzz_{name}" if name in texts else name] = (fuzzing.FOLDER / name).read_text(encoding="utf-8")
    how = (*WARNINGS, *fuzzing.FLAGS, *learn_device.flags(of))
    return compile_cached(clang, texts, how, "learn_fuzzer")


def seeds(of: Case) -> list[bytes]:
    """One request of every command and operation, as a message and as a frame; inferences among them."""
    data = learn_device.twin(of).export()
    body = of.safety.body_hash
    latent = learn_device.model_input(of.world.draw(np.array([1]), 1)[0])
    half = len(data) // 2
    requests = [
        message(WRITE, TINYC, 1, {"off": 0, "data": latent}),
        message(WRITE, TINYC, 2),
        message(READ, TINYC, 10),
        message(READ, TINYC, 11),
        *(message(WRITE, TINYC, 11, {"seen": seen, "label": seen % 5}) for seen in range(1, 6)),
        message(WRITE, TINYC, 11, {"seen": 1, "values": b"\0\0\x80\x3f" * 5}),
        message(READ, TINYC, 12, {"index": 3}),
        message(WRITE, TINYC, 12, {"name": "lamp"}),
        message(WRITE, TINYC, 12, {"name": "door"}),
        message(READ, TINYC, 13, {"off": 0, "len": 400}),
        message(WRITE, TINYC, 13, {"off": 0, "data": data[:half]}),
        message(WRITE, TINYC, 13, {"off": half, "data": data[half:]}),
        *(message(WRITE, TINYC, 14, {"do": deed, "at": at}) for deed in range(4) for at in range(2)),
        *(
            message(WRITE, TINYC, 14, {"do": do, "at": 0, "crc": binascii.crc32(data), "body": body})
            for do in (4, 5)
        ),
    ]
    return [*(b"\0" + each for each in requests), *(b"\1" + frame(each, 40) for each in requests)]


def run(clang: HostCompiler, *options: str) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    of = learn_device.case()
    return fuzzing.run(compiled(clang, of), seeds(of), 2100, *options)


if __name__ == "__main__":
    sys.exit(fuzzing.long_form("the learner over SMP", __doc__, run))
