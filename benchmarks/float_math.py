"""How far the float32 functions of the firmware lie from the exact values, in units of the last place.

    python benchmarks/float_math.py [--every N]

Every Nth float32 of the ranges, 97 unless told; NumPy's float64 counts as exact. The C of the firmware gives
the same bits (tests/host/test_float_math.py).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.float_functions import MEASURED, Measured
from tinyc.cli import output


def row(measured: Measured, every: int) -> tuple[str, ...]:
    """One line of the table."""
    error, where = measured.error(every)
    ranges = ", ".join(f"{start:g} … {end:g}" for start, end in measured.ranges)
    return (measured.name, ranges, f"{error:.2f}", f"{where:.6g}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=97)
    every = parser.parse_args().every
    headings = ("function", "arguments", "largest error, ulp>", "at>")
    output.table("", headings, [row(measured, every) for measured in MEASURED])


if __name__ == "__main__":
    main()
