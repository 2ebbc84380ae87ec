"""Examples on an 8-bit AVR: bytes and cycles of their portable C on an ATmega1284P, run by simavr.

    python benchmarks/avr.py

Needs avr-gcc, avr-libc and simavr. The figures are in docs/concepts/eight-bit.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = ("sine", "lowpan_sensor")
CHIP, CLOCK_HZ = "atmega1284p", 16_000_000
# Prescalers of the 16-bit timer 1 and their codes in TCCR1B; the first without an overflow counts.
PRESCALERS = ((1, 1), (64, 3), (1024, 5))
_MAIN = """
#define F_CPU 16000000ul
#include <avr/io.h>
#include <util/delay.h>
#include "src/model.c"
static void send(uint8_t byte) {
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = byte;
}
int main(void) {
    UCSR0B = 1 << TXEN0;
    TIMSK1 = 0;
    TCCR1B = PRESCALER;
    INVOKE();
    const uint16_t ticks = TCNT1;
    const uint8_t over = TIFR1 & (1 << TOV1);
    send(over ? '+' : '=');
    for (int8_t shift = 12; shift >= 0; shift -= 4) {
        send((uint8_t)"0123456789abcdef"[ticks >> shift & 15]);
    }
    send('\\n');
    _delay_ms(10);
    __asm volatile("cli\\nsleep"); /* ends simavr */
    for (;;) {
    }
}
"""


def measure(example: str, folder: Path) -> tuple[int, int, int]:
    """(bytes of flash, bytes of RAM, cycles of an inference)."""
    path = Path(__file__).resolve().parent.parent / "examples" / example
    build = [sys.executable, "-c", "from tinyc.cli import main; main()", "build", str(path)]
    subprocess.run([*build, "--board", "host", "--out", str(folder)], check=True, capture_output=True)
    invoke = re.findall(r"void (\w+_invoke)\(", (folder / "src" / "model.h").read_text())[0]
    (folder / "main.c").write_text(_MAIN)
    elf = folder / "avr.elf"
    for divider, code in PRESCALERS:
        command = [
            "avr-gcc",
            f"-mmcu={CHIP}",
            "-O2",
            "-std=gnu99",
            f"-DPRESCALER={code}",
            f"-DINVOKE={invoke}",
        ]
        command += [f"-I{folder}", f"-I{folder / 'src'}", str(folder / "main.c"), "-o", str(elf)]
        subprocess.run(command, check=True)
        run = ["timeout", "30", "simavr", "-m", CHIP, "-f", str(CLOCK_HZ), str(elf)]
        done = subprocess.run(run, capture_output=True, check=False)
        said = done.stdout + done.stderr
        found = re.search(rb"([=+])([0-9a-f]{4})", said)
        if found is None:
            raise SystemExit(f"{example} said nothing: {said[-200:]!r}")
        if found[1] == b"=":
            table = subprocess.run(["avr-size", str(elf)], check=True, capture_output=True, text=True)
            text, data, bss = map(int, table.stdout.splitlines()[1].split()[:3])
            return text + data, data + bss, int(found[2], 16) * divider
    raise SystemExit(f"{example} takes more than {PRESCALERS[-1][0] << 16} cycles")


def main() -> None:
    print("| example | flash | RAM | cycles | ms at 16 MHz |\n|---|--:|--:|--:|--:|")
    for example in EXAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            flash, ram, cycles = measure(example, Path(folder))
        print(f"| `{example}` | {flash:,} | {ram:,} | {cycles:,} | {cycles / CLOCK_HZ * 1e3:.1f} |")


if __name__ == "__main__":
    main()
