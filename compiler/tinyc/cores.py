"""Processor cores: what boards may have of them, and how each compiler is told.

One table for all: a row per core and combination of the features that change the instruction set.
A combination without a row does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = "host"

FEATURES = {
    "helium": "vectors of 16 bytes (MVE, integers), loops without branch cost",
    "dsp": "16-bit multiply-accumulate pairs and saturation (SMLAD, SSAT), unaligned words",
    "scalar": "none of that: one multiplication at a time",
    "fpu": "single-precision floating point",
    "fast_multiplier": "a multiplication takes one cycle or a few, not 32",
    "dual_issue": "two instructions at a time: a load or the like beside a multiplication",
    "dwt": "the cycle counter of the debug unit",
}


@dataclass(frozen=True, slots=True)
class Family:
    """Cores that share start-up code and a GNU toolchain.

    `folder` under `firmware_templates/hal` has `startup.c`, `hal/include` a header of that name.
    `gcc_prefix` begins the names of the GNU tools, `gcc_package` is their Debian package,
    `qemu` the emulator and `qemu_package` its package.
    """

    title: str
    folder: str
    gcc_prefix: str
    gcc_package: str
    qemu: str
    qemu_package: str


ARM = Family(
    "Cortex-M", "cortex_m", "arm-none-eabi-", "gcc-arm-none-eabi", "qemu-system-arm", "qemu-system-arm"
)
RISCV = Family(
    "RISC-V",
    "riscv",
    "riscv64-unknown-elf-",
    "gcc-riscv64-unknown-elf",
    "qemu-system-riscv32",
    "qemu-system-misc",
)
FAMILIES = (ARM, RISCV)


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """One row: `features` decide it, `zig` and `gcc` are the compilers' flags."""

    family: Family
    core: str
    features: frozenset[str]
    zig: tuple[str, ...]
    gcc: tuple[str, ...]


def _row(family: Family, core: str, features: str, zig: str, gcc: str) -> InstructionSet:
    return InstructionSet(family, core, frozenset(features.split()), tuple(zig.split()), tuple(gcc.split()))


_SOFT = "-target thumb-freestanding-eabi"
_HARD = "-target thumb-freestanding-eabihf"
_RV32 = "-target riscv32-freestanding-none"
# Jumps by table on ARMv6-M take a helper function that the stack's bound cannot look through.
_PLAIN = "-fno-jump-tables"

# family, core, features, flags of `zig cc`, flags of GCC
INSTRUCTION_SETS = (
    _row(
        ARM,
        "cortex-m0",
        "scalar",
        f"{_SOFT} -mcpu=cortex_m0 {_PLAIN}",
        f"-mcpu=cortex-m0.small-multiply -mthumb {_PLAIN}",
    ),
    _row(
        ARM,
        "cortex-m0",
        "scalar fast_multiplier",
        f"{_SOFT} -mcpu=cortex_m0 {_PLAIN}",
        f"-mcpu=cortex-m0 -mthumb {_PLAIN}",
    ),
    _row(
        ARM,
        "cortex-m0plus",
        "scalar",
        f"{_SOFT} -mcpu=cortex_m0plus {_PLAIN}",
        f"-mcpu=cortex-m0plus.small-multiply -mthumb {_PLAIN}",
    ),
    _row(
        ARM,
        "cortex-m0plus",
        "scalar fast_multiplier",
        f"{_SOFT} -mcpu=cortex_m0plus {_PLAIN}",
        f"-mcpu=cortex-m0plus -mthumb {_PLAIN}",
    ),
    _row(ARM, "cortex-m4", "dsp", f"{_SOFT} -mcpu=cortex_m4", "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft"),
    _row(
        ARM,
        "cortex-m4",
        "dsp fpu",
        f"{_HARD} -mcpu=cortex_m4+vfp4d16sp",
        "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16",
    ),
    _row(ARM, "cortex-m7", "dsp", f"{_SOFT} -mcpu=cortex_m7", "-mcpu=cortex-m7 -mthumb -mfloat-abi=soft"),
    _row(
        ARM,
        "cortex-m7",
        "dsp fpu",
        f"{_HARD} -mcpu=cortex_m7+fp_armv8d16sp",
        "-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16",
    ),
    _row(
        ARM,
        "cortex-m33",
        "scalar",
        f"{_SOFT} -mcpu=cortex_m33",
        "-mcpu=cortex-m33+nodsp -mthumb -mfloat-abi=soft",
    ),
    _row(
        ARM, "cortex-m33", "dsp", f"{_SOFT} -mcpu=cortex_m33+dsp", "-mcpu=cortex-m33 -mthumb -mfloat-abi=soft"
    ),
    _row(
        ARM,
        "cortex-m33",
        "dsp fpu",
        f"{_HARD} -mcpu=cortex_m33+dsp+fp_armv8d16sp",
        "-mcpu=cortex-m33 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16",
    ),
    _row(
        ARM,
        "cortex-m55",
        "dsp fpu helium",
        f"{_HARD} -mcpu=cortex_m55+mve_fp+fp_armv8d16",
        "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard",
    ),
    _row(
        RISCV,
        "rv32imc",
        "scalar fast_multiplier",
        f"{_RV32} -mcpu=generic_rv32+m+c+relax",
        # Without a C library GCC has its stdint.h only when freestanding; its libraries know no _zicsr.
        "-march=rv32imc -misa-spec=2.2 -mabi=ilp32 -ffreestanding -fbuiltin",
    ),
)

CORES = frozenset({HOST, *(row.core for row in INSTRUCTION_SETS)})
_DECIDING = frozenset[str]().union(*(row.features for row in INSTRUCTION_SETS))
_WITH_DUAL_ISSUE = frozenset({"cortex-m7"})
# Cores that may have the debug unit's cycle counter.
_WITH_DWT = frozenset({"cortex-m4", "cortex-m7", "cortex-m33"})
# Arm publishes no instruction timings of these; the emulator estimates their cycles by another core's.
_TIMED_AS = {"cortex-m7": "cortex-m4", "cortex-m33": "cortex-m4"}
# Nobody publishes how long instructions of these take.
_UNTIMED = frozenset({"rv32imc"})


def combinations(core: str) -> tuple[frozenset[str], ...]:
    """The combinations of features that decide the instruction set of `core`; nothing for `host`."""
    return tuple(row.features for row in INSTRUCTION_SETS if row.core == core)


def is_possible(core: str, features: frozenset[str]) -> bool:
    """Whether a chip with `core` can have exactly these features."""
    if core == HOST:
        return not features
    if "dwt" in features and core not in _WITH_DWT:
        return False
    if "dual_issue" in features and core not in _WITH_DUAL_ISSUE:
        return False
    return features & _DECIDING in combinations(core)


def instruction_set(core: str, features: frozenset[str]) -> InstructionSet:
    """The row for `core` with these features. Raises KeyError for an impossible combination."""
    for row in INSTRUCTION_SETS:
        if row.core == core and row.features == features & _DECIDING:
            return row
    raise KeyError(core)


def timed_as(core: str) -> str:
    """The core whose published instruction timings estimate the cycles of `core`."""
    return _TIMED_AS.get(core, core)


def timings(core: str) -> str:
    """What the cycles of `core` are estimated from, for a note below a table."""
    if core in _UNTIMED:
        return "one cycle an instruction (there are no published timings)"
    return (
        "the core's published timings" if timed_as(core) == core else f"{timed_as(core)}'s published timings"
    )
