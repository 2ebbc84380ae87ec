"""Builds `tests/fuzz/boot_image.c` and runs it: any bytes for the bootloader's reader of images."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import boot_images, fuzzing
from support.boot_images import SMALL, Map
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

SOURCE = fuzzing.FOLDER / "boot_image.c"
_STRICT = (*WARNINGS, "-Wshadow", "-Wconversion", "-DFLASH_SIMULATED")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the C says of an image; the version is that of the header."""

    fault: int
    size: int
    body: int
    counter: int
    version: tuple[int, int, int, int]
    model_name: int


def texts(map_: Map, secret: bytes | None) -> dict[str, str]:
    boot = data_folder("firmware_templates") / "bootloader"
    names = [path.name for path in boot.glob("*.h")]
    names += ["image.c", "image_verify.c", "sha256.c", "sha512.c", "ed25519.c"]
    found = {name: (boot / name).read_text(encoding="utf-8") for name in sorted(names)}
    found["slots.h"] = map_.header()
    found["boot_key.h"] = boot_images.key_header(secret)
    found["main.c"] = SOURCE.read_text(encoding="utf-8")
    return found


def compiled(
    clang: HostCompiler, changed: Mapping[str, tuple[str, str]] | None = None, map_: Map = SMALL
) -> Path:
    """The fuzzer as a program; `changed` has for a file a text to be replaced, and by what."""
    files = texts(map_, None)
    for name, (old, new) in (changed or {}).items():
        assert files[name].count(old) == 1, f"{name} has not one {old!r}"
        files[name] = files[name].replace(old, new)
    return compile_cached(clang, files, (*_STRICT, *fuzzing.FLAGS), "image_fuzzer")


def batch(compiler: HostCompiler, map_: Map, secret: bytes | None) -> Path:
    """The reader as a program for `verdicts`."""
    flags = (*_STRICT, "-O1", "-g", "-DBOOT_IMAGE_BATCH", *compiler.sanitizer_flags())
    return compile_cached(compiler, texts(map_, secret), flags, "boot_image")


def verdicts(program: Path, cases: Sequence[tuple[bytes, int, int, int]]) -> list[Verdict]:
    """Of each image at an address, with a limit and a security counter that is confirmed."""
    request = b"".join(
        struct.pack("<4I", address, limit, counter, len(data)) + data
        for data, address, limit, counter in cases
    )
    done = subprocess.run([program], input=request, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    rows = list(struct.iter_unpack("<8I", done.stdout))
    assert len(rows) == len(cases)
    return [Verdict(r[0], r[1], r[2], r[3], (r[4], r[5] >> 16, r[5] & 0xFFFF, r[6]), r[7]) for r in rows]


def seeds() -> list[bytes]:
    """Images with and without each part, in both slots, the hash to be put right or not."""
    body = boot_images.program(SMALL, 200, 1)
    entries = boot_images.described(SMALL, 3)
    more = [(boot_images.FIRMWARE, bytes(32)), (boot_images.MODEL_NAME, b"name"), (0x1234, b"")]
    made = [
        boot_images.image(SMALL, body, 3),
        boot_images.image(SMALL, body, entries=[*entries, *more]),
        boot_images.image(SMALL, b"", entries=entries),
        boot_images.image(SMALL, body, secret=bytes(32)),
        boot_images.finish(boot_images.header(4, 0, (1, 2, 3, 4), 0, 0) + bytes(4), None),
    ]
    made.append(made[0][:12] + struct.pack("<I", 2**32 - boot_images.HEADER) + made[0][16:])
    return [bytes([how]) + data for how in range(4) for data in made]


def run(clang: HostCompiler, *options: str, changed: Mapping[str, tuple[str, str]] | None = None) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    return fuzzing.run(compiled(clang, changed), seeds(), 2049, *options)


if __name__ == "__main__":
    sys.exit(fuzzing.long_form("the reader of images", __doc__, run))
