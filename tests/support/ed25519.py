"""Ed25519 from RFC 8032, 5.1, in plain integers: the reference of the tests. Slow, and not for secrets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
SIGN = 1 << 255


@dataclass(frozen=True, slots=True)
class Point:
    """A point as X, Y, Z, T with x = X/Z, y = Y/Z, x y = T/Z."""

    x: int
    y: int
    z: int
    t: int

    def __add__(self, other: Point) -> Point:
        a = (self.y - self.x) * (other.y - other.x) % P
        b = (self.y + self.x) * (other.y + other.x) % P
        c = 2 * self.t * other.t * D % P
        d = 2 * self.z * other.z % P
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def __rmul__(self, times: int) -> Point:
        total, power = NEUTRAL, self
        while times > 0:
            if times & 1:
                total += power
            power += power
            times >>= 1
        return total

    def __neg__(self) -> Point:
        return Point(-self.x % P, self.y, self.z, -self.t % P)

    def is_same(self, other: Point) -> bool:
        return (self.x * other.z - other.x * self.z) % P == 0 and (
            self.y * other.z - other.y * self.z
        ) % P == 0

    @property
    def affine(self) -> tuple[int, int]:
        inverse = pow(self.z, -1, P)
        return self.x * inverse % P, self.y * inverse % P

    def encode(self) -> bytes:
        x, y = self.affine
        return (y | (x & 1) * SIGN).to_bytes(32, "little")


def point(x: int, y: int) -> Point:
    return Point(x, y, 1, x * y % P)


def x_of(y: int, sign: int) -> int | None:
    """The x of a point, None where there is none: RFC 8032, 5.1.3."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def decode(data: bytes) -> Point | None:
    """The point of an encoding, None for one that is not canonical or belongs to none."""
    number = int.from_bytes(data, "little")
    y, sign = number % SIGN, number // SIGN
    x = x_of(y, sign)
    return None if x is None else point(x, y)


NEUTRAL = Point(0, 1, 1, 0)
_BASE_Y = 4 * pow(5, -1, P) % P
_BASE_X = x_of(_BASE_Y, 0)
assert _BASE_X is not None
BASE = point(_BASE_X, _BASE_Y)


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


def expand(secret: bytes) -> tuple[int, bytes]:
    """The scalar of a secret key, and what its nonces are made from."""
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return scalar, digest[32:]


def public_key(secret: bytes) -> bytes:
    return (expand(secret)[0] * BASE).encode()


def sign(secret: bytes, message: bytes) -> bytes:
    scalar, prefix = expand(secret)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    r = (nonce * BASE).encode()
    s = (nonce + challenge(r, public_key(secret), message) * scalar) % L
    return r + s.to_bytes(32, "little")


def verify(signature: bytes, key: bytes, message: bytes) -> bool:
    """As the bootloader does: strict, without a cofactor, no keys of small order."""
    s = int.from_bytes(signature[32:], "little")
    a = decode(key)
    if len(signature) != 64 or s >= L or a is None or (8 * a).is_same(NEUTRAL):
        return False
    r = s * BASE + challenge(signature[:32], key, message) * -a
    return r.encode() == signature[:32]
