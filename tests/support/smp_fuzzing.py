"""Builds `tests/fuzz/smp_frame.c` and runs it: any bytes for the firmware's SMP server."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cbor2

from support import smp_device
from support.smp_device import READ, WRITE, frame, message
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached, compiler_called

SOURCE = Path(__file__).parent.parent / "fuzz" / "smp_frame.c"
FLAGS = ("-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")


def compiled(clang: HostCompiler) -> Path:
    """The fuzzer as a program."""
    texts = smp_device.texts(2048)
    texts["fuzz.c"] = SOURCE.read_text(encoding="utf-8")
    return compile_cached(clang, texts, (*WARNINGS, *FLAGS), "smp_fuzzer")


def seeds() -> list[bytes]:
    """One request of every command, as a message and as a frame."""
    nested = {"z": [1, {"a": [cbor2.CBORTag(9, 1.5)]}], "off": 0, "data": b"data"}
    requests = [
        message(WRITE, 0, 0, {"d": "text"}),
        message(WRITE, 0, 5, {"force": 1}),
        message(READ, 0, 6, version=0),
        message(READ, 2, 0, {"name": "tinyc"}),
        message(READ, 2, 1),
        message(READ, 64, 0),
        message(WRITE, 64, 1, nested),
        message(WRITE, 64, 1, b"\xbf\x63off\x01\x64data\x43abc\xff"),
        message(WRITE, 64, 2, version=0),
        message(READ, 64, 3, {"off": 1, "len": 66}),
        message(WRITE, 64, 4, {"first": 3, "count": 64}),
        message(READ, 64, 5),
        message(READ, 64, 6, {"off": 10, "len": 300}),
        message(WRITE, 64, 6, {"off": 4000, "data": b"\0" * 90}),
        message(WRITE, 64, 7, {"reset": True, "data": b"\1\2\3\4"}),
        message(WRITE, 64, 8, {"text": "some text"}),
    ]
    return [*(b"\0" + data for data in requests), *(b"\1" + frame(data, 40) for data in requests)]


def run(clang: HostCompiler, *options: str) -> int:
    """Run the fuzzer on the seeds. Returns how many executions it made; raises RuntimeError for a finding."""
    program = compiled(clang)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds()):
            (corpus / str(number)).write_bytes(seed)
        # The peak of this process counts as the fuzzer's: only what it asks for itself is limited.
        limits = ["-max_len=2100", "-rss_limit_mb=0", "-malloc_limit_mb=64"]
        command = [program, corpus, f"-artifact_prefix={folder}/", "-seed=1", *limits, *options]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            found = [f"{path.name}: {path.read_bytes().hex()}" for path in Path(folder).glob("*-*")]
            raise RuntimeError("\n".join([done.stderr[-6000:], *found]))
    counted = re.search(r"Done (\d+) runs", done.stderr)
    if counted is None:
        raise RuntimeError(done.stderr[-6000:])
    return int(counted[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000_000)
    options = parser.parse_args()
    clang = compiler_called("clang")
    if clang is None:
        print("make fuzz needs clang", file=sys.stderr)
        return 1
    print(f"{run(clang, f'-runs={options.runs}')} executions, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
