"""The bootloader's hashes and signatures, the very C files, against hashlib, RFC 8032 and hostile input."""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import ed25519
from support.bootloader_crypto import (
    Case,
    compiled,
    digests,
    encodings,
    fitting_message,
    forged,
    small_order_points,
    table_of,
    verdicts,
)
from support.ed25519 import BASE, L, P, Point
from support.ed25519_vectors import VECTORS
from tinyc.toolchain.host_compiler import HostCompiler, compiler_called, find_compiler

pytestmark = pytest.mark.host

SECRET = bytes(range(32))
KEY = ed25519.public_key(SECRET)
SCALAR = ed25519.expand(SECRET)[0]
MESSAGE = hashlib.sha256(b"an image").digest()
SIGNATURE = ed25519.sign(SECRET, MESSAGE)
R, S = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:], "little")


@pytest.fixture(scope="module", params=["default", "clang"])
def compiler(request: pytest.FixtureRequest) -> HostCompiler:
    found = find_compiler() if request.param == "default" else compiler_called("clang")
    if found is None:
        pytest.skip("clang is not installed")
    return found


@pytest.fixture(scope="module")
def program(compiler: HostCompiler) -> Path:
    return compiled(compiler)


def bytes_of(rng: np.random.Generator, size: int) -> bytes:
    return rng.integers(0, 256, size, np.uint8).tobytes()


def little(number: int) -> bytes:
    return number.to_bytes(32, "little")


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def check(program: Path, cases: list[Case], expected: list[bool] | None = None) -> None:
    """The C says what is expected; without it, that all are to be rejected."""
    wanted = [False] * len(cases) if expected is None else expected
    for case, want, got in zip(cases, wanted, verdicts(program, cases), strict=True):
        assert got == want, case.name


# Hashes.


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_digests_of_all_short_lengths(program: Path, kind: str) -> None:
    data = bytes_of(np.random.default_rng(1), 300)
    messages = [[data[:size]] for size in range(301)]
    found = digests(program, kind, [*messages, *([bytes([byte]) for byte in m[0]] for m in messages), []])
    expected = [hashlib.new(kind, m[0]).digest() for m in messages]
    assert found == [*expected, *expected, hashlib.new(kind).digest()]


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_digests_of_messages_in_pieces(program: Path, kind: str) -> None:
    rng = np.random.default_rng(2)
    messages = []
    for _ in range(300):
        data = bytes_of(rng, int(rng.integers(1, 1500)))
        cuts = [0, *sorted(rng.integers(0, len(data) + 1, int(rng.integers(0, 12))).tolist()), len(data)]
        messages.append([data[a:b] for a, b in pairwise(cuts)])
    expected = [hashlib.new(kind, b"".join(pieces)).digest() for pieces in messages]
    assert digests(program, kind, messages) == expected


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_digests_of_megabytes(program: Path, kind: str) -> None:
    data = bytes_of(np.random.default_rng(3), 3_000_017)
    messages = [[data], [data[:1], data[1:]], [data[at : at + 4096] for at in range(0, len(data), 4096)]]
    assert digests(program, kind, messages) == [hashlib.new(kind, data).digest()] * 3


def test_more_than_4_gibibits() -> None:
    """The count of bits in more than 32 bits."""
    program = compiled(find_compiler())
    data = bytes(1 << 20)
    expected = hashlib.sha256()
    for _ in range(513):
        expected.update(data)
    assert digests(program, "sha256", [[data] * 513]) == [expected.digest()]


def primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def root_fraction(number: int, power: int, bits: int) -> int:
    """The first bits of the fraction of a root, by halving."""
    low, high = 0, number << bits
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= number << power * bits else (low, middle)
    return low % (1 << bits)


@pytest.mark.parametrize(
    ("file", "declared", "bits", "rounds"),
    [("sha256.c", "uint32_t", 32, 64), ("sha512.c", "uint64_t", 64, 80)],
)
def test_constants_of_the_hashes(file: str, declared: str, bits: int, rounds: int) -> None:
    initial = table_of(file, f"static const {declared} initial[8] = {{")
    constants = table_of(file, f"static const {declared} constants[{rounds}] = {{")
    assert initial == [root_fraction(prime, 2, bits) for prime in primes(8)]
    assert constants == [root_fraction(prime, 3, bits) for prime in primes(rounds)]


# Signatures.


def test_vectors_of_the_rfc(program: Path) -> None:
    for vector in VECTORS:
        assert ed25519.public_key(vector.secret) == vector.key
        assert ed25519.sign(vector.secret, vector.message) == vector.signature
    cases = [Case(v.name, v.signature, v.key, v.message) for v in VECTORS]
    wrong = [Case(v.name, v.signature, v.key, v.message + b"\0") for v in VECTORS]
    assert verdicts(program, cases + wrong) == [True] * len(cases) + [False] * len(wrong)


@pytest.fixture(scope="module")
def count(long: bool) -> int:
    """How many random signatures."""
    return 2000 if long else 300


@lru_cache(maxsize=1)
def random_cases(count: int) -> tuple[list[Case], list[Case]]:
    """Signed by the reference; and each with one bit flipped."""
    rng = np.random.default_rng(6)
    good, bad = [], []
    for index in range(count):
        if index % 20 == 0:
            secret = bytes_of(rng, 32)
            scalar, prefix = ed25519.expand(secret)
            key = (scalar * BASE).encode()
        message = bytes_of(rng, int(rng.integers(0, 300)))
        nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
        signature = forged(scalar, nonce, (nonce * BASE).encode(), key, message)
        good.append(Case(f"random {index}", signature, key, message))
        bit = int(rng.integers(8 * (96 + len(message))))
        data = flipped(signature + key + message, bit)
        bad.append(Case(f"random {index}, bit {bit}", data[:64], data[64:96], data[96:]))
    return good, bad


def test_random_signatures(program: Path, count: int) -> None:
    good, bad = random_cases(count)
    check(program, good + bad, [True] * len(good) + [False] * len(bad))
    for case in good[::20]:
        assert ed25519.verify(case.signature, case.key, case.message)
    for case in bad[::20]:
        assert not ed25519.verify(case.signature, case.key, case.message)


def test_random_signatures_by_another_implementation(program: Path, count: int) -> None:
    package = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.ed25519",
        reason="the package `cryptography` is not installed",
    )
    rng = np.random.default_rng(7)
    cases = []
    for index in range(count):
        secret = package.Ed25519PrivateKey.from_private_bytes(bytes_of(rng, 32))
        message = bytes_of(rng, int(rng.integers(0, 300)))
        key = secret.public_key().public_bytes_raw()
        cases.append(Case(f"random {index}", secret.sign(message), key, message))
    check(program, cases, [True] * len(cases))
    for case in (*random_cases(count)[0][::10], *random_cases(count)[1][::10]):
        try:
            package.Ed25519PublicKey.from_public_bytes(case.key).verify(case.signature, case.message)
            accepted = True
        except Exception:
            accepted = False
        assert accepted == ("bit" not in case.name), case.name


def test_every_bit(program: Path) -> None:
    cases = [Case(f"signature {bit}", flipped(SIGNATURE, bit), KEY, MESSAGE) for bit in range(512)]
    cases += [Case(f"key {bit}", SIGNATURE, flipped(KEY, bit), MESSAGE) for bit in range(256)]
    cases += [Case(f"message {bit}", SIGNATURE, KEY, flipped(MESSAGE, bit)) for bit in range(256)]
    check(program, cases)


def test_scalars_out_of_range(program: Path) -> None:
    """The same S in another form, and S that belong to nothing."""
    numbers = {f"S + {n} L": S + n * L for n in range(1, 16)}
    numbers |= {f"S with bit {bit}": S | 1 << bit for bit in (253, 254, 255)}
    numbers |= {f"S with all from bit {bit}": S | 2**256 - 2**bit for bit in (253, 254, 255)}
    numbers |= {f"{n}": n for n in (0, 1, L - 1, L, L + 1, 2 * L, 2**252, 2**253 - 1, P, 2**255, 2**256 - 1)}
    numbers |= {"-S": L - S, "8 S": 8 * S % L}
    check(program, [Case(name, R + little(n), KEY, MESSAGE) for name, n in numbers.items() if n < 2**256])


def test_truncated_extended_and_shifted(program: Path) -> None:
    cases = []
    for size in range(64):
        cases.append(Case(f"first {size}", SIGNATURE[:size].ljust(64, b"\0"), KEY, MESSAGE))
        cases.append(Case(f"last {size}", SIGNATURE[64 - size :].rjust(64, b"\0"), KEY, MESSAGE))
        cases.append(
            Case(f"without {size}", (SIGNATURE[:size] + SIGNATURE[size + 1 :]).ljust(64, b"\0"), KEY, MESSAGE)
        )
        cases.append(
            Case(f"another at {size}", (SIGNATURE[:size] + b"\0" + SIGNATURE[size:])[:64], KEY, MESSAGE)
        )
    for size in range(32):
        cases.append(Case(f"message of {size}", SIGNATURE, KEY, MESSAGE[:size]))
    cases += [
        Case("longer message", SIGNATURE, KEY, MESSAGE + b"\0"),
        Case("message twice", SIGNATURE, KEY, MESSAGE * 2),
    ]
    check(program, [case for case in cases if case.signature != SIGNATURE or case.message != MESSAGE])


def test_all_zero_and_all_one(program: Path) -> None:
    halves = {
        "zero": bytes(32),
        "one": b"\xff" * 32,
        "1": little(1),
        "R": R,
        "S": little(S),
        "key": KEY,
        "p": little(P),
    }
    cases = [
        Case(f"{r} {s} {key}", halves[r] + halves[s], halves[key], message)
        for r, s, key in product(halves, halves, halves)
        for message in (MESSAGE, b"", bytes(32))
        if (r, s, key, message) != ("R", "S", "key", MESSAGE)
    ]
    check(program, cases)


def test_r_in_another_form(program: Path) -> None:
    """The owner signs for an R that is not the canonical encoding; only the bytes tell."""
    nonce = 98765
    r = (nonce * BASE).encode()
    cases = [Case("canonical", forged(SCALAR, nonce, r, KEY, MESSAGE), KEY, MESSAGE)]
    for bit in range(256):
        cases.append(Case(f"bit {bit}", forged(SCALAR, nonce, flipped(r, bit), KEY, MESSAGE), KEY, MESSAGE))
    # With a nonce of 0 R is the neutral point, which has three other forms.
    forms = encodings(ed25519.NEUTRAL)
    assert len(forms) == 4
    cases += [
        Case(f"neutral {form.hex()}", forged(SCALAR, 0, form, KEY, MESSAGE), KEY, MESSAGE) for form in forms
    ]
    expected = [case.name == "canonical" or case.signature[:32] == forms[0] for case in cases]
    check(program, cases, expected)
    assert sum(expected) == 2


def order_of(point: Point) -> int:
    return next(order for order in (1, 2, 4, 8) if (order * point).is_same(ed25519.NEUTRAL))


def test_keys_of_small_order(program: Path) -> None:
    """Anybody can sign for them, and the equation holds: all forms of the eight points are rejected."""
    nonce = 4242
    points = small_order_points()
    assert sorted(map(order_of, points)) == [1, 2, 4, 4, 8, 8, 8, 8]
    cases = []
    for point in points:
        for key in encodings(point):
            for rest in range(order_of(point)):
                r = (nonce * BASE + rest * -point).encode()
                message = fitting_message(r, key, order_of(point), rest)
                signature = r + little(nonce)
                h = ed25519.challenge(r, key, message)
                assert (nonce * BASE + h * -point).encode() == r
                cases.append(Case(f"key {key.hex()}, {rest}", signature, key, message))
    assert len({case.key for case in cases}) == 14
    check(program, cases)


def test_keys_with_a_part_of_small_order(program: Path) -> None:
    """Without a cofactor: accepted where that part falls out of the equation, else not."""
    nonce = 777
    cases, expected = [], []
    for small in small_order_points()[1:]:
        key = (SCALAR * BASE + small).encode()
        for rest, sign in product(range(order_of(small)), (True, False)):
            # R = nonce B - rest T fits where h is `rest`.
            point = nonce * BASE + rest * -small
            for r in (point.encode(), flipped(point.encode(), 255)):
                message = fitting_message(r, key, order_of(small), rest if sign else rest + 1)
                cases.append(Case(f"{r.hex()} {sign}", forged(SCALAR, nonce, r, key, message), key, message))
                expected.append(sign and r == point.encode())
        # R itself of small order, with a nonce of 0: its canonical form counts, no other.
        for rest in range(order_of(small)):
            point = rest * -small
            for r in encodings(point):
                message = fitting_message(r, key, order_of(small), rest)
                cases.append(Case(f"small {r.hex()}", forged(SCALAR, 0, r, key, message), key, message))
                expected.append(r == point.encode())
    for case, want in list(zip(cases, expected, strict=True))[::9]:
        assert ed25519.verify(case.signature, case.key, case.message) == want
    check(program, cases, expected)


def test_r_of_small_order(program: Path) -> None:
    """With a right key only the neutral point can come out, and only in its canonical form."""
    cases = [
        Case(f"{r.hex()} {s}", r + little(s), KEY, MESSAGE)
        for point in small_order_points()
        for r in encodings(point)
        for s in (0, 1, S, L - 1)
    ]
    check(program, cases)


def test_wycheproof(program: Path) -> None:
    """The vectors of C2SP/wycheproof, from a checkout."""
    checkout = os.environ.get("TINYC_WYCHEPROOF")
    if not checkout:
        pytest.skip("TINYC_WYCHEPROOF names no checkout of C2SP/wycheproof")
    file = Path(checkout) / "testvectors_v1" / "ed25519_test.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    cases, expected, other = [], [], 0
    for group in found["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for test in group["tests"]:
            signature = bytes.fromhex(test["sig"])
            if len(signature) != 64 or len(key) != 32:
                assert test["result"] == "invalid"  # no such thing reaches the function
                other += 1
                continue
            cases.append(
                Case(f"{test['tcId']} {test['comment']}", signature, key, bytes.fromhex(test["msg"]))
            )
            expected.append(test["result"] == "valid")
    check(program, cases, expected)
    assert len(cases) + other == found["numberOfTests"]
    print(f"{len(cases)} run, {sum(expected)} of them valid; {other} of another length")
