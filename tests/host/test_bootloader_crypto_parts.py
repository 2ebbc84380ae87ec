"""The parts of the bootloader's Ed25519, one by one, with numbers that random signatures never meet."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from support import ed25519
from support.bootloader_crypto import compiled_parts, encodings, run, small_order_points
from support.ed25519 import BASE, SIGN, D, L, P
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

SCALAR = ed25519.expand(bytes(range(32)))[0]


@pytest.fixture(scope="module", params=["default", "clang"])
def parts(request: pytest.FixtureRequest) -> Path:
    found = find_compiler() if request.param == "default" else compiler_called("clang")
    if found is None:
        pytest.skip("clang is not installed")
    return compiled_parts(found)


def bytes_of(rng: np.random.Generator, size: int) -> bytes:
    return rng.integers(0, 256, size, np.uint8).tobytes()


def little(number: int) -> bytes:
    return number.to_bytes(32, "little")


def test_constants_of_the_curve(parts: Path) -> None:
    answer = run(parts, b"c")
    found = [int.from_bytes(answer[at : at + 32], "little") for at in range(0, len(answer), 32)]
    root = pow(2, (P - 1) // 4, P)
    assert found == [P, L, D, root, P - 37, *BASE.affine]
    x, y = BASE.affine
    assert 5 * y % P == 4 and x % 2 == 0 and (-x * x + y * y - 1 - D * x * x * y * y) % P == 0
    assert 121666 * D % P == P - 121665 and root * root % P == P - 1
    assert (L * BASE).is_same(ed25519.NEUTRAL) and pow(2, L - 1, L) == 1


def edges() -> list[int]:
    """Numbers of 256 bits where something carries, borrows or is reduced."""
    top = 1 << 256
    near = [base + off for base in (0, P, 2 * P, SIGN, L, top, top - P) for off in (-39, -38, -37, -20, -19)]
    near += [base + off for base in (0, P, 2 * P, SIGN, L, top) for off in range(-3, 40)]
    words = [sum(0xFFFFFFFF << 32 * i for i in range(8) if mask >> i & 1) for mask in range(0, 256, 5)]
    return sorted({number for number in near + words if 0 <= number < top})


def test_arithmetic_of_the_field(parts: Path) -> None:
    rng = np.random.default_rng(4)
    numbers = edges()
    pairs = list(product(numbers, numbers))
    pairs += [
        (int.from_bytes(bytes_of(rng, 32), "little"), int.from_bytes(bytes_of(rng, 32), "little"))
    ] * 500
    request = b"".join(b"o" + little(a) + little(b) for a, b in pairs)
    answer, at = run(parts, request), 0

    def number() -> int:
        nonlocal at
        at += 32
        return int.from_bytes(answer[at - 32 : at], "little")

    def flag() -> int:
        nonlocal at
        at += 1
        return answer[at - 1]

    for a, b in pairs:
        assert [number() % P for _ in range(3)] == [(a + b) % P] * 3, (a, b)
        assert [number() % P for _ in range(3)] == [(a - b) % P] * 3, (a, b)
        assert [number() % P for _ in range(3)] == [a * b % P] * 3, (a, b)
        assert (number() % P, number() % P, number()) == (2 * a % P, a * a % P, a % P)
        assert (flag(), flag(), flag()) == ((a - b) % P == 0, a == 0, a < b)
        assert (number(), number(), number()) == ((a - b) % 2**256, (a - b) % 2**256, a)
    assert at == len(answer)


def test_powers_and_inverses(parts: Path) -> None:
    numbers = edges()
    answer = run(parts, b"".join(b"r" + little(a) for a in numbers))
    for index, a in enumerate(numbers):
        found = [
            int.from_bytes(answer[at : at + 32], "little") % P
            for at in range(96 * index, 96 * index + 96, 32)
        ]
        assert found == [pow(a, 2**252 - 3, P), pow(a, P - 2, P), pow(a, P - 2, P)], a


def test_decoding(parts: Path) -> None:
    """Every encoding that is not canonical, those around, and random ones; half of them are no points."""
    rng = np.random.default_rng(5)
    numbers = [y | sign * SIGN for y in (*range(64), *range(P - 64, SIGN)) for sign in (0, 1)]
    encoded = [little(number) for number in numbers] + [bytes_of(rng, 32) for _ in range(600)]
    encoded += [data for point in small_order_points() for data in encodings(point)]
    answer = run(parts, b"".join(b"d" + data for data in encoded))
    valid = 0
    for index, data in enumerate(encoded):
        record = answer[98 * index : 98 * index + 98]
        point = ed25519.decode(data)
        assert record[0] == (point is not None), data.hex()
        if point is not None:
            valid += 1
            x, y = point.affine
            assert record[2:] == little(-x % P) + little(y) + little(-x * y % P)
            assert record[1] == (8 * point).is_same(ed25519.NEUTRAL)
    assert len(answer) == 98 * len(encoded) and 300 < valid < len(encoded) - 300


def test_sums_of_points(parts: Path) -> None:
    """Scalars that no signature has with any likelihood, and points that are equal, opposite or small."""
    scalars = [0, 1, 2, 2**252 - 1, 2**252, L - 2, L - 1, L, L + 1, 2**253 - 1]
    points = [BASE, -BASE, 3 * BASE, SCALAR * BASE, *small_order_points()]
    pairs = [(s, h) for s, h in product(scalars, scalars) if s in (0, 1, L - 1) or h in (1, 2**252, s)]
    cases = [(s, h, point) for (s, h), point in product(pairs, points)]
    answer = run(parts, b"".join(b"s" + little(s) + little(h) + point.encode() for s, h, point in cases))
    for index, (s, h, point) in enumerate(cases):
        expected = (s * BASE + h * -point).encode()
        assert answer[33 * index + 1 : 33 * index + 33] == expected, (s, h, point)
        assert answer[33 * index] == (expected == point.encode())
