"""Every row of the table of cores: both compilers take its flags and understand them alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinyc.cores import INSTRUCTION_SETS, InstructionSet

pytestmark = pytest.mark.host

_ARCHITECTURES = {
    "cortex-m0": "__ARM_ARCH_6M__",
    "cortex-m0plus": "__ARM_ARCH_6M__",
    "cortex-m4": "__ARM_ARCH_7EM__",
    "cortex-m7": "__ARM_ARCH_7EM__",
    "cortex-m33": "__ARM_ARCH_8M_MAIN__",
    "cortex-m55": "__ARM_FEATURE_MVE",  # the name of the architecture is not the same in both
    "rv32imc": "__riscv_mul",
}


def expectation(row: InstructionSet) -> str:
    """C that compiles only for the instruction set of this row."""

    def must(macro: str, wanted: bool) -> str:
        return f"#if {'!' * wanted}defined({macro})\n#error {macro}\n#endif\n"

    return (
        must(_ARCHITECTURES[row.core], True)
        + must("__ARM_FEATURE_DSP", "dsp" in row.features)
        + must("__ARM_FP", "fpu" in row.features)
        + must("__ARM_FEATURE_MVE", "helium" in row.features)
        + must("__ARM_PCS_VFP", "fpu" in row.features)
        + must("__riscv_compressed", row.core == "rv32imc")
        + must("__riscv_flen", False)
        + "#include <stdint.h>\nuint32_t word;\n"
    )


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
@pytest.mark.parametrize(
    "row", INSTRUCTION_SETS, ids=[f"{row.core}-{'-'.join(sorted(row.features))}" for row in INSTRUCTION_SETS]
)
def test_compilers_understand_the_flags(row: InstructionSet, compiler: str, tmp_path: Path) -> None:
    if compiler == "zig":
        pytest.importorskip("ziglang")
        command = [sys.executable, "-m", "ziglang", "cc", *row.zig]
    else:
        name = f"{row.family.gcc_prefix}gcc"
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        command = [name, *row.gcc]
    source = tmp_path / "probe.c"
    source.write_text(expectation(row))
    command += ["-std=c99", "-Wall", "-Wextra", "-Werror", "-c", str(source), "-o", str(tmp_path / "probe.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
