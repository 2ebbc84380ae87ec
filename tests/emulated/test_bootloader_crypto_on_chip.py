"""The bootloader's hashes and signatures as the nRF52840 would run them: right, small and quick enough."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from support import ed25519
from support.crypto_firmware import CryptoFirmware, has_compiler
from support.ed25519_vectors import VECTORS
from tinyc.boards import load_board

pytestmark = pytest.mark.emulated

# What docs/concepts/bootloader-crypto.md promises.
ED25519_TEXT, SHA512_TEXT, SHA256_TEXT = 3200, 1700, 1700
VERIFY_CYCLES = 4_500_000
SHA256_CYCLES_PER_BYTE = 45.0
VERIFY_STACK, SHA256_STACK = 1536, 400


@pytest.fixture(scope="module", params=["zig", "gcc"])
def chip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CryptoFirmware:
    if not has_compiler(request.param):
        pytest.skip("arm-none-eabi-gcc is not installed")
    return CryptoFirmware(request.param, load_board("nrf52840"), tmp_path_factory.mktemp(request.param))


def test_vectors_of_the_rfc(chip: CryptoFirmware) -> None:
    for vector in VECTORS:
        assert chip.verify(vector.signature, vector.key, vector.message)[0] == 1
        assert chip.verify(vector.signature, vector.key, vector.message + b"\0")[0] == 0


def test_flipped_bits_and_other_keys(chip: CryptoFirmware) -> None:
    """One bit of each byte; the key zero, which is a point of small order; S + L."""
    vector = VECTORS[2]
    data = vector.signature + vector.key + vector.message
    for at in range(len(data)):
        wrong = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        assert chip.verify(wrong[:64], wrong[64:96], wrong[96:])[0] == 0, at
    s = int.from_bytes(vector.signature[32:], "little") + ed25519.L
    assert chip.verify(vector.signature[:32] + s.to_bytes(32, "little"), vector.key, vector.message)[0] == 0
    assert chip.verify(vector.signature, bytes(32), vector.message)[0] == 0
    assert chip.verify(vector.signature, vector.key, vector.message)[0] == 1


def test_digests(chip: CryptoFirmware) -> None:
    data = np.random.default_rng(1).integers(0, 256, 8192, np.uint8).tobytes()
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 8192):
        assert chip.sha256(data[:size])[0] == hashlib.sha256(data[:size]).digest(), size


def test_time_does_not_tell(chip: CryptoFirmware) -> None:
    """Signatures, right and wrong, keys and messages of one length: the same cycles for all."""
    rng = np.random.default_rng(2)
    taken = set()
    for index in range(12):
        secret, message = (rng.integers(0, 256, 32, np.uint8).tobytes() for _ in range(2))
        signature, key = ed25519.sign(secret, message), ed25519.public_key(secret)
        if index % 3 == 1:
            signature = signature[:40] + bytes(24)
        if index % 3 == 2:
            key = bytes([index]) * 32
        verdict, cycles = chip.verify(signature, key, message)
        assert verdict == (index % 3 == 0)
        taken.add(cycles)
    for special in (bytes(32), b"\xff" * 32, (1).to_bytes(32, "little")):
        verdict, cycles = chip.verify(special + bytes(32), special, message)
        assert verdict == 0
        taken.add(cycles)
    assert len(taken) == 1, taken


def test_sizes_cycles_and_stack(chip: CryptoFirmware) -> None:
    message = bytes(range(32))
    secret = bytes(32)
    verdict, verify = chip.verify(ed25519.sign(secret, message), ed25519.public_key(secret), message)
    assert verdict == 1
    per_byte = chip.sha256(bytes(8192))[1] / 8192
    verify_stack, sha256_stack = chip.stack_bound("ed25519_verify"), 0
    for name in ("sha256_init", "sha256_update", "sha256_final"):
        sha256_stack = max(sha256_stack, chip.stack_bound(name))
    sizes = ", ".join(f"{name} {size} B" for name, size in chip.text.items())
    print(f"{sizes}; stack of a verification {verify_stack} B, of SHA-256 {sha256_stack} B")
    print(f"{verify} cycles a verification, {per_byte:.1f} a byte of SHA-256")
    assert chip.text["ed25519.c"] <= ED25519_TEXT
    assert chip.text["sha512.c"] <= SHA512_TEXT
    assert chip.text["sha256.c"] <= SHA256_TEXT
    assert verify <= VERIFY_CYCLES
    assert per_byte <= SHA256_CYCLES_PER_BYTE
    assert verify_stack <= VERIFY_STACK and sha256_stack <= SHA256_STACK
    # What was used is below the bound, but not far.
    assert verify_stack - 300 <= chip.stack <= verify_stack + 150
