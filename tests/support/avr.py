"""Models in the firmware of an 8-bit AVR (ATmega2560), run by QEMU."""

from __future__ import annotations

import re
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tinyc.emit.model import render_bundle
from tinyc.ir.tensor import Array
from tinyc.memory.budget import params_bytes
from tinyc.program import Program

RAM = 8192
_STACK = 1024  # left to calls, and to what the firmware itself has
# GCC 5 takes a field of an element, `.part[0].field = 1`, for an element whose other fields are missing.
_FLAGS = (
    *("-mmcu=atmega2560", "-O2", "-std=gnu99", "-Wall", "-Wextra", "-Werror"),
    "-Wno-missing-field-initializers",
)
_START = """
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <stdint.h>
#include "bundle.c"
static void send(uint8_t byte) {
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = byte;
}
int main(void) {
    UCSR0B = 1 << TXEN0;
"""
_SECONDS = 20.0


def need_avr() -> None:
    """Skip the test, by name, without compiler or emulator."""
    for program in ("avr-gcc", "qemu-system-avr"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def ram_bytes(program: Program) -> int:
    """RAM that a model takes: its arena, and its constants and parameters, which avr-gcc keeps there too."""
    parameters = sum(map(params_bytes, program.steps))
    return program.plan.arena_size + program.weight_bytes + parameters


def run_on_avr(programs: Sequence[Program], inputs: Sequence[Sequence[Array]], folder: Path) -> list[bytes]:
    """The bytes of each program's first output. The programs are called `m0`, `m1`, ..."""
    assert len(programs) == len(inputs)
    assert sum(map(ram_bytes, programs)) <= RAM - _STACK
    files = render_bundle(programs)
    tables, calls, sizes = "", "", []
    for number, arrays in enumerate(inputs):
        places = dict(re.findall(r"#define (M\d+_\w+_(?:OFFSET|SIZE)) (\d+)u", files[f"m{number}.h"]))
        for i, array in enumerate(arrays):
            data = array.tobytes()
            table = f"m{number}_given_{i}"
            tables += f"static const uint8_t {table}[] PROGMEM = {{{', '.join(map(str, data))}}};\n"
            place = places[f"M{number}_INPUT_{i}_OFFSET"]
            calls += f"    memcpy_P(m{number}_arena() + {place}, {table}, {len(data)});\n"
        sizes.append(int(places[f"M{number}_OUTPUT_0_SIZE"]))
        place = places[f"M{number}_OUTPUT_0_OFFSET"]
        calls += f"    m{number}_reset();\n" if programs[number].graph.states else ""
        calls += f"    m{number}_invoke();\n    for (uint16_t i = 0; i < {sizes[-1]}; i++) {{\n"
        calls += f"        send(m{number}_arena()[{place} + i]);\n    }}\n"
    before, after = _START.split("static void send", 1)
    main = f"{before}{tables}static void send{after}{calls}    for (;;) {{\n    }}\n}}\n"
    for name, text in {**files, "main.c": main}.items():
        (folder / name).write_text(text, encoding="utf-8")
    elf = folder / "firmware.elf"
    command = ["avr-gcc", *_FLAGS, f"-I{folder}", str(folder / "main.c"), "-o", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sent = _sent(elf, sum(sizes))
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [sent[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _sent(elf: Path, size: int) -> bytes:
    command = ["qemu-system-avr", "-machine", "mega2560", "-bios", str(elf), "-display", "none"]
    command += ["-monitor", "none", "-serial", "stdio"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    found, end = b"", time.monotonic() + _SECONDS
    try:
        while len(found) < size and time.monotonic() < end:
            if select.select([process.stdout], [], [], 0.2)[0]:
                found += process.stdout.read1(4096)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return found
