"""Functions of float32 numbers that give the same bits in NumPy and in the C of the firmware.

The twin of firmware_templates/kernels/include/tinyc_float_math.h: change both or neither. All functions
take float32 arrays of any shape and give arrays of the same shape, element by element; every operation is
one of IEEE binary32, rounded once, in the order written. NumPy's own exp, tanh and so on differ between
machines. A NaN in a result is always the same one. How exact the functions are: docs/concepts/numbers.md.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Bits: TypeAlias = npt.NDArray[np.uint32]

F = np.float32
_NAN = np.uint32(0x7FC00000).view(F)
_INFINITY = F(np.inf)
_SIGN = np.uint32(0x80000000)

# Cephes `expf`, `logf`, `tanhf`, `sinf` and `cosf`, the highest power first.
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
_TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)

# P(Z <= -a) e^(a^2/2) in six ranges of a, the Mills ratio over the root of 2 pi, as polynomials around
# the centers; fitted with the least largest relative error.
_NORMAL_ENDS = np.array([0.75, 1.5, 2.75, 4.75, 8.5, 14.5], F)
_NORMAL_CENTERS = np.array([0.375, 1.125, 2.125, 3.75, 6.625, 11.5], F)
_NORMAL = np.array(
    [
        *(4.59708681e-4, -1.44894852e-3, 4.13237e-3, -1.13792354e-2, 2.90648174e-2, -6.78189546e-2),
        *(1.41691476e-1, -2.56590605e-1, 3.79604429e-1),
        *(6.62655002e-5, -2.36777152e-4, 7.80941395e-4, -2.49614683e-3, 7.49488501e-3, -2.09154766e-2),
        *(5.35094328e-2, -1.22944467e-1, 2.45331392e-1),
        *(7.19963964e-6, -3.04860023e-5, 1.17073585e-4, -4.5182457e-4, 1.66382489e-3, -5.79691213e-3),
        *(1.89736336e-2, -5.77095672e-2, 1.60580099e-1),
        *(3.73959097e-7, -2.03104582e-6, 9.83939753e-6, -5.00168426e-5, 2.47121672e-4, -1.17737742e-3),
        *(5.40352194e-3, -2.37952415e-2, 1.00039206e-1),
        *(7.86452414e-9, -6.1591912e-8, 4.11133215e-7, -3.09659936e-6, 2.31332597e-5, -1.68850442e-4),
        *(1.2110254e-3, -8.52953084e-3, 5.89302257e-2),
        *(9.44580664e-11, -1.15956478e-9, 1.22059758e-8, -1.47331875e-7, 1.78008463e-6, -2.12131908e-5),
        *(2.51041172e-4, -2.95060477e-3, 3.44340578e-2),
    ],
    F,
).reshape(6, 9)

# 2 / pi after 64 zeros, and pi / 2 with 31 bits after the point.
_INVERSE_ANGLE = np.array(
    [0, 0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041], np.uint64
)
_HALF_PI = np.uint64(0xC90FDAA2)
_WORD = np.uint64(0xFFFFFFFF)


def _bits(x: Floats) -> Bits:
    return np.asarray(np.asarray(x, F).view(np.uint32))


def _from_bits(bits: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.asarray(bits).astype(np.uint32).view(F))


def _copy_sign(x: Floats, y: Floats) -> Floats:
    return _from_bits((_bits(x) & ~_SIGN) | (_bits(y) & _SIGN))


def _polynomial(x: Floats, *coefficients: float | Floats) -> Floats:
    """By Horner's rule, the highest power first."""
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y = y * x + np.asarray(coefficient, F)
    return y


def _scale(x: Floats, k: npt.NDArray[np.int32]) -> Floats:
    """x 2^k for x in [2^-7, 2] and k in [-160, 128], where the result may be subnormal, rounded once."""
    small = k < -100
    y = _from_bits(_bits(x) + ((k + np.where(small, 64, 0)) << 23).astype(np.uint32))
    return np.asarray(np.where(small, y * F(2.0**-64), y))


def _small_expm1(r: Floats) -> Floats:
    """e^r - 1 for |r| <= 0.4."""
    return np.asarray(_polynomial(r, *_EXP) * (r * r) + r)


def _reduce_exp(x: Floats) -> tuple[npt.NDArray[np.int32], Floats]:
    """(k, r): x = k ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts (Cody and Waite 1980)."""
    t = x * F(1.44269504)
    k = np.asarray(t + np.where(t < 0, F(-0.5), F(0.5))).astype(np.int32)
    n = k.astype(F)
    return k, np.asarray((x - n * F(0.693359375)) - n * F(-2.12194440e-4))


@np.errstate(all="ignore")
def exp(x: npt.ArrayLike) -> Floats:
    """e^x; infinity from 88.72284 on, 0 below -104."""
    x = np.asarray(x, F)
    inside = (x <= F(88.72283)) & (x >= F(-104))
    k, r = _reduce_exp(np.where(inside, x, F(0)))
    y = np.where(x < 0, F(0), np.where(x > 0, _INFINITY, _NAN))
    return np.asarray(np.where(inside, _scale(_small_expm1(r) + F(1), k), y))


@np.errstate(all="ignore")
def expm1(x: npt.ArrayLike) -> Floats:
    """e^x - 1 for x <= 0."""
    x = np.asarray(x, F)
    k, r = _reduce_exp(np.where(x >= F(-18), x, F(-18)))
    e = _small_expm1(r)
    power = _from_bits((127 + k) << 23)
    y = np.where(k == 0, e, power * e + (power - F(1)))
    y = np.where(x < F(-18), F(-1), y)
    return np.asarray(np.where(np.isnan(x), _NAN, y))


@np.errstate(all="ignore")
def log(x: npt.ArrayLike) -> Floats:
    """The natural logarithm; -infinity of 0, NaN of negative numbers."""
    x = np.asarray(x, F)
    inside = (x > 0) & np.isfinite(x)
    safe = np.where(inside, x, F(1))
    subnormal = safe < F(1.17549435e-38)
    bits = _bits(np.where(subnormal, safe * F(8388608), safe)).astype(np.int64)
    # x = 2^k m, m between the roots of 1/2 and of 2.
    k = (bits - 0x3F3504F3) >> 23
    n = np.where(subnormal, k - 23, k).astype(F)
    z = _from_bits(bits - (k << 23)) - F(1)
    square = z * z
    y = _polynomial(z, *_LOG) * z * square + n * F(-2.12194440e-4)
    y = (z + (y - square * F(0.5))) + n * F(0.693359375)
    outside = np.where(x == 0, -_INFINITY, np.where(x > 0, _INFINITY, _NAN))
    return np.asarray(np.where(inside, y, outside))


@np.errstate(all="ignore")
def tanh(x: npt.ArrayLike) -> Floats:
    """A polynomial below 0.625, else by e^2x."""
    x = np.asarray(x, F)
    a = np.abs(x)
    square = a * a
    near = _polynomial(square, *_TANH) * square * a + a
    far = F(1) - F(2) / (exp(np.where(a < F(20), a + a, F(40))) + F(1))
    y = _copy_sign(np.where(a < F(0.625), near, far), x)
    return np.asarray(np.where(np.isnan(x), _NAN, y))


@np.errstate(all="ignore")
def logistic(x: npt.ArrayLike) -> Floats:
    """1 / (1 + e^-x), by e^-|x| so that nothing overflows."""
    x = np.asarray(x, F)
    e = exp(-np.abs(x))
    y = np.where(x < 0, e, F(1)) / (F(1) + e)
    return np.asarray(np.where(np.isnan(x), _NAN, y))


@np.errstate(all="ignore")
def normal(x: npt.ArrayLike) -> Floats:
    """The distribution function of the normal distribution, P(Z <= x).

    P(Z <= -a) = e^(-a^2/2) M(a), M a polynomial in each of six ranges of a. a^2 is taken in two parts,
    h^2 with h the upper bits of a, and what is missing, because a rounding of the exponent would be one of
    the whole result.
    """
    x = np.asarray(x, F)
    inside = np.abs(x) < F(14.5)
    a = np.where(inside, np.abs(x), F(0))
    piece = np.searchsorted(_NORMAL_ENDS, a, side="right")
    m = _polynomial(a - _NORMAL_CENTERS[piece], *np.moveaxis(_NORMAL[piece], -1, 0))
    h = _from_bits(_bits(a) & np.uint32(0xFFFFF000))
    missing = (h - a) * (h + a) * F(0.5)
    k, r = _reduce_exp(h * h * F(-0.5))
    tail = np.where(inside, _scale(m * _small_expm1(r + missing) + m, k), F(0))
    y = np.where(x < 0, tail, F(1) - tail)
    return np.asarray(np.where(np.isnan(x), _NAN, y))


def _reduce_angle(x: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """(quadrant, r): the nearest multiple of pi / 2, as its count modulo 4, and what is left.

    For any finite x: 64 bits of x times 2 / pi, whose upper two are the quadrant (Payne and Hanek 1983).
    """
    small = np.abs(x) <= F(0.78539815)
    bits = _bits(np.abs(np.where(small, F(1), x))).astype(np.uint64)
    start = (bits >> np.uint64(23)) - np.uint64(96)
    word, left = (start >> np.uint64(5)).astype(np.int64), start & np.uint64(31)

    def window(i: int) -> npt.NDArray[np.uint64]:
        both = _INVERSE_ANGLE[word + i] << np.uint64(32) | _INVERSE_ANGLE[word + i + 1]
        return np.asarray(both >> (np.uint64(32) - left) & _WORD)

    m = (bits << np.uint64(8) & _WORD) | np.uint64(0x80000000)
    turns = (m * window(0) << np.uint64(32)) + m * window(1) + (m * window(2) >> np.uint64(32))
    quadrant = (turns + np.uint64(1 << 61)) >> np.uint64(62)
    rest = (turns - (quadrant << np.uint64(62))).astype(np.int64)
    magnitude = np.abs(rest).astype(np.uint64)
    # frexp counts the bits; of the upper ones, which float64 holds exactly.
    zeros = 53 - np.frexp((magnitude >> np.uint64(11)).astype(np.float64))[1]
    angle = (magnitude << zeros.astype(np.uint64) >> np.uint64(32)) * _HALF_PI >> np.uint64(32)
    r = angle.astype(F) * _from_bits((98 - zeros) << 23)
    r = np.where((rest < 0) != (x < 0), -r, r)
    signed = np.where(x < 0, -quadrant.astype(np.int64), quadrant.astype(np.int64)) & 3
    return np.asarray(np.where(small, 0, signed)), np.asarray(np.where(small, x, r))


@np.errstate(all="ignore")
def _sine(x: npt.ArrayLike, quarters: int) -> Floats:
    """The sine of x and so many quarter turns."""
    x = np.asarray(x, F)
    quadrant, r = _reduce_angle(np.where(np.isfinite(x), x, F(0)))
    quadrant = quadrant + quarters
    square = r * r
    even = (_polynomial(square, *_COSINE) * square * square - square * F(0.5)) + F(1)
    odd = _polynomial(square, *_SINE) * square * r + r
    y = np.where(quadrant & 1, even, odd)
    return np.asarray(np.where(np.isfinite(x), np.where(quadrant & 2, -y, y), _NAN))


def sin(x: npt.ArrayLike) -> Floats:
    """The sine of any finite number of radians; NaN of infinity."""
    return _sine(x, 0)


def cos(x: npt.ArrayLike) -> Floats:
    """The cosine of any finite number of radians; NaN of infinity."""
    return _sine(x, 1)


@np.errstate(all="ignore")
def sqrt(x: npt.ArrayLike) -> Floats:
    """The square root, correctly rounded; NaN of negative numbers."""
    x = np.asarray(x, F)
    return np.asarray(np.where(x >= 0, np.sqrt(x), _NAN))
