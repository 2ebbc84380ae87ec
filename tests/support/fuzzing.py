"""Runs libFuzzer's programs: what all the fuzzers of tests/fuzz have in common."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tinyc.toolchain.host_compiler import HostCompiler, compiler_called

FOLDER = Path(__file__).parent.parent / "fuzz"
FLAGS = ("-O2", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")


def run(program: Path, seeds: Sequence[bytes], longest: int, *options: str) -> int:
    """Run a fuzzer on the seeds, with inputs of `longest` bytes at most.

    Returns how many executions it made; raises RuntimeError for a finding.
    """
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        # The peak of this process counts as the fuzzer's: only what it asks for itself is limited.
        limits = [f"-max_len={longest}", "-rss_limit_mb=0", "-malloc_limit_mb=64"]
        command = [program, corpus, f"-artifact_prefix={folder}/", "-seed=1", *limits, *options]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            found = [f"{path.name}: {path.read_bytes().hex()}" for path in Path(folder).glob("*-*")]
            raise RuntimeError("\n".join([done.stderr[-6000:], *found]))
    counted = re.search(r"Done (\d+) runs", done.stderr)
    if counted is None:
        raise RuntimeError(done.stderr[-6000:])
    return int(counted[1])


def long_form(what: str, description: str | None, fuzz: Callable[[HostCompiler, str], int]) -> int:
    """The long form as a command: `fuzz` with so many executions as its caller asks for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=10_000_000)
    options = parser.parse_args()
    clang = compiler_called("clang")
    if clang is None:
        print("make fuzz needs clang", file=sys.stderr)
        return 1
    print(f"{fuzz(clang, f'-runs={options.runs}')} executions of {what}, nothing found")
    return 0
