"""Fills in the checksum of the second boot stage of an RP2040, the last word of the section `.boot_stage`.

It is a CRC-32 over the 252 bytes before (RP2040 datasheet, 2.8.1.3.1): polynomial 0x04C11DB7, most
significant bit first, begun with all ones, not inverted at the end.
"""

import struct
from pathlib import Path

Import("env", "program")  # noqa: F821  provided by SCons


def crc32(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
    return value


def section(elf, wanted):
    """(offset, size) of a section of a 32-bit little-endian ELF file."""
    (table,) = struct.unpack_from("<I", elf, 0x20)
    entry, count, names = struct.unpack_from("<3H", elf, 0x2E)
    headers = [struct.unpack_from("<10I", elf, table + entry * index) for index in range(count)]
    for header in headers:
        start = headers[names][4] + header[0]
        if elf[start : elf.index(b"\0", start)].decode() == wanted:
            return header[4], header[5]
    raise ValueError(f"no section {wanted}")


def fill_in(target, source, env):
    path = Path(str(target[0]))
    elf = bytearray(path.read_bytes())
    offset, size = section(elf, ".boot_stage")
    struct.pack_into("<I", elf, offset + size - 4, crc32(elf[offset : offset + size - 4]))
    path.write_bytes(elf)


env.AddPostAction(program, fill_in)  # noqa: F821
