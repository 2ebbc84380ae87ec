"""Losses of power at every flash operation of the bootloader's flows, the very C files on simulated flash.

`python -m support.boot_sweeps` runs the long form.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import boot_images
from support.boot_images import DK, SMALL, Map
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached, find_compiler

TESTS = Path(__file__).parent.parent
FLOWS = (
    "revert",
    "confirm",
    "permanent",
    "refused",
    "downgrade",
    "again",
    "install",
    "asked",
    "damaged",
    "worn",
)
MODEL_FLOWS = ("first", "revert", "confirm", "permanent", "refused", "downgrade", "damaged", "again")
CORE = ("crc32", "image", "image_verify", "journal", "swap", "request", "trailer", "model_slot")
CRYPTO = ("sha256", "sha512", "ed25519")
# Of the copied words of full-size slots every so many are cut.
LARGE_STEP = 40009
_STRICT = (*WARNINGS, "-Wshadow", "-Wconversion", "-DFLASH_SIMULATED")


@dataclass(frozen=True, slots=True)
class Count:
    """What a sweep did; `more` are cuts in the recovery, or pages of the journal."""

    operations: int
    trials: int
    more: int


def sources(main: str, map_: Map, secret: bytes | None) -> dict[str, str]:
    """All texts of a program on simulated flash."""
    boot = data_folder("firmware_templates") / "bootloader"
    wanted = {path.name for path in boot.glob("*.h")} | {f"{name}.c" for name in (*CORE, *CRYPTO)}
    texts = {name: (boot / name).read_text(encoding="utf-8") for name in sorted(wanted)}
    for name in ("flash_sim.c", "flash_sim.h", "boot_sweep.c", "boot_sweep.h"):
        texts[name] = (TESTS / "support" / name).read_text(encoding="utf-8")
    texts["slots.h"] = map_.header()
    texts["boot_key.h"] = boot_images.key_header(secret)
    texts["main.c"] = (TESTS / "host" / main).read_text(encoding="utf-8")
    return texts


def compiled(
    compiler: HostCompiler,
    main: str,
    map_: Map,
    secret: bytes | None = None,
    sanitized: bool = False,
    changed: Mapping[str, tuple[str, str]] | None = None,
) -> Path:
    """A program; `changed` has for a file a text to be replaced, and by what."""
    texts = sources(main, map_, secret)
    for name, (old, new) in (changed or {}).items():
        assert texts[name].count(old) == 1, f"{name} has not one {old!r}"
        texts[name] = texts[name].replace(old, new)
    flags = ("-O1", "-g", *compiler.sanitizer_flags()) if sanitized else ("-O1",)
    size = f"-DFLASH_SIM_BYTES=0x{map_.flash:x}u"
    return compile_cached(compiler, texts, (*_STRICT, size, *flags), Path(main).stem)


def images(map_: Map, secret: bytes | None = None) -> list[bytes]:
    """Three images with security counters 1, 2 and 2, and one with a wrong byte."""
    room = map_.pages * map_.page - 1024
    sizes = [room * 2 // 3, room, room // 4, room // 2]
    made = [
        boot_images.image(
            map_,
            boot_images.program(map_, size, number),
            min(number, 2),
            secret,
            version=(number, 0, 0, 0),
        )
        for number, size in enumerate(sizes, 1)
    ]
    return [*made[:3], wrong(made[3], 700)]


def models(map_: Map) -> list[bytes]:
    """The same for the models' slots, each image at home in both or in one."""
    room = (map_.model_pages - 1) * map_.page - 1024 + 256
    made = []
    for number, size in enumerate((room // 2, room, room // 3, room // 2), 1):
        for load in map_.models:
            made.append(
                boot_images.image(
                    map_,
                    boot_images.program(map_, size, 10 + number),
                    min(number, 2),
                    flags=boot_images.NON_BOOTABLE | boot_images.ROM_FIXED,
                    load=load,
                )
            )
    return [*made[:6], *(wrong(data, 520) for data in made[6:])]


def wrong(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def sweep(
    program: Path, flow: str, content: Sequence[bytes], every: int = 1, seconds: int = 2, seed: int = 1
) -> Count:
    """Run a flow. Raises RuntimeError with what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, data in enumerate(content):
            paths.append(Path(folder) / str(number))
            paths[-1].write_bytes(data + b"\xff" * (-len(data) % 4))
        command = [str(program), flow, str(every), str(seconds), str(seed), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=7200)
    found = re.fullmatch(r"(\d+) operations, (\d+) trials, (\d+) more\n", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return Count(*(int(number) for number in found.groups()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="runs of each flow")
    parser.add_argument("--seconds", type=int, default=8, help="second cuts in the recovery from each")
    options = parser.parse_args()
    compiler = find_compiler()
    total = 0
    small = compiled(compiler, "boot_swap_main.c", SMALL)
    model = compiled(compiler, "boot_model_main.c", SMALL)
    large = compiled(compiler, "boot_swap_main.c", DK)
    for seed in range(1, options.seeds + 1):
        jobs = [(small, flow, images(SMALL), 1) for flow in FLOWS]
        jobs += [(model, flow, models(SMALL), 1) for flow in MODEL_FLOWS]
        jobs += [(small, "hail", images(SMALL), 20000)]
        jobs += [(large, flow, images(DK), LARGE_STEP // 8) for flow in ("revert", "confirm")]
        for program, flow, content, every in jobs:
            count = sweep(program, flow, content, every, options.seconds, seed)
            total += count.trials
            more = "pages of the journal" if flow == "hail" else "more in their recovery"
            print(
                f"{program.name} {flow}, seed {seed}: {count.operations} flash operations, "
                f"{count.trials} {'runs' if flow == 'hail' else 'cuts'}, {count.more} {more}",
                flush=True,
            )
    print(f"{total} losses of power, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
