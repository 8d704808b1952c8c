"""Elementary functions of vectors, as LLVM IR: exponentials, hyperbolic and trigonometric functions, branch-free.

The exponential is reduced to a remainder, x = n ln 2 + r with |r| <= ln(2) / 2, of which the Taylor series is taken
(J.-M. Muller, "Elementary Functions", 3rd edition, chapters 5 and 9); ln 2 is split in two so that n times its first
part is exact (W. Cody and W. Waite). Only exponentials of numbers up to 0 are needed, so nothing overflows. n is
rounded by adding a constant whose last bit is worth 1, which every set of instructions can do, and its bits are shifted
into an exponent. Where a result may be subnormal, the power of two comes last, so that it is rounded once.

Arguments that amplify errors of rounding (those of GELU and of Snake) are computed in double for float. NaN stays NaN,
and infinities give the limits. `tests/jit/machine/test_elementary.py` counts the errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, pi

from tconv.jit.machine.ir import Function, Vector


@dataclass(frozen=True, slots=True)
class _Format:
    """What depends on the type of elements."""

    integer: str  #: of the same width
    mantissa: int  #: bits
    bias: int  #: of the exponent
    ln2: tuple[float, float]
    terms: int  #: of the series of exp
    beyond: float  #: below, x exp(x) is 0
    saturated: float  #: below, exp(x) - 1 is -1
    lifted: int  #: powers of two by which small numbers are kept normal


_FORMATS = {
    "float": _Format("i32", 23, 127, (0.693359375, -2.12194440054690583e-4), 7, -110.0, -80.0, 64),
    "double": _Format("i64", 52, 1023, (6.93145751953125e-1, 1.42860682030941723212e-6), 13, -760.0, -80.0, 512),
}


class Arithmetic:
    """Arithmetic of vectors of one type, with constants."""

    def __init__(self, f: Function, v: Vector, terms: int = 0) -> None:
        self.f, self.v, self.format = f, v, _FORMATS[v.element]
        self.terms = terms or self.format.terms  #: of the series of exp
        self.integers = Vector(self.format.integer, v.lanes)

    def number(self, value: float) -> str:
        """A constant in every lane, rounded to the type."""
        if self.v.element == "float":
            [value] = struct.unpack("f", struct.pack("f", value))
        [bits] = struct.unpack("<Q", struct.pack("<d", value))
        return "<" + ", ".join([f"{self.v.element} 0x{bits:016X}"] * self.v.lanes) + ">"

    def integer(self, value: int) -> str:
        """A constant integer in every lane."""
        return "<" + ", ".join([f"{self.integers.element} {value}"] * self.v.lanes) + ">"

    def do(self, operation: str, a: str, b: str) -> str:
        """An operation by LLVM's name: fadd, fsub, fmul, fdiv."""
        return self.f.let(f"{operation} {self.v.text} {a}, {b}")

    def bits(self, operation: str, a: str, b: int) -> str:
        """Likewise of integers, with a constant."""
        return self.f.let(f"{operation} {self.integers.text} {a}, {self.integer(b)}")

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, in two roundings where the processor has no other."""
        return self.f.fma(self.v, a, b, c)

    def split(self, value: float, rest: float) -> tuple[str, str]:
        """A constant that is known twice as well as a double, rounded to the type, and what is left of it."""
        [rounded] = struct.unpack("f", struct.pack("f", value)) if self.v.element == "float" else (value,)
        return self.number(value), self.number(value - rounded + rest)

    def compare(self, how: str, a: str, b: str) -> str:
        """A mask by LLVM's word: olt, oeq, ..."""
        return self.f.let(f"fcmp {how} {self.v.text} {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        """a where the mask is on, else b."""
        return self.f.select(self.v, mask, a, b)

    def at_least(self, x: str, low: float) -> str:
        """The larger of x and a constant; NaN stays."""
        return self.select(self.compare("olt", x, self.number(low)), self.number(low), x)

    def magnitude(self, x: str, sign: str = "") -> str:
        """|x|, or |x| with the sign of another."""
        text, mangled = self.v.text, self.v.mangled
        if sign:
            self.f.module.declare(f"{text} @llvm.copysign.{mangled}({text}, {text})")
            return self.f.let(f"call {text} @llvm.copysign.{mangled}({text} {x}, {text} {sign})")
        self.f.module.declare(f"{text} @llvm.fabs.{mangled}({text})")
        return self.f.let(f"call {text} @llvm.fabs.{mangled}({text} {x})")

    def negative(self, x: str) -> str:
        """-x."""
        return self.f.let(f"fneg {self.v.text} {x}")

    def horner(self, x: str, coefficients: list[float]) -> str:
        """A polynomial, its highest coefficient first."""
        result = self.number(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, x, self.number(coefficient))
        return result

    def rounded(self, x: str) -> tuple[str, str]:
        """The nearest integer as a number, and as the last bits of an integer."""
        magic = self.number(1.5 * 2.0**self.format.mantissa)
        shifted = self.do("fadd", x, magic)
        as_bits = self.f.let(f"bitcast {self.v.text} {shifted} to {self.integers.text}")
        return self.do("fsub", shifted, magic), as_bits

    def power_of_two(self, n: str, more: int = 0) -> str:
        """2^(n + more) of the bits of `rounded`, as long as it is normal."""
        f = self.format
        exponent = self.bits("add", self.bits("shl", n, f.mantissa), (f.bias + more) << f.mantissa)
        return self.f.let(f"bitcast {self.integers.text} {exponent} to {self.v.text}")


def _exponential(a: Arithmetic, x: str, rest: str = "") -> tuple[str, str]:
    """(exp(r) - 1, n) with x + rest = n ln 2 + r, for x <= 0 that is not far below the limits of the format."""
    high, low = a.format.ln2
    n, bits = a.rounded(a.do("fmul", x, a.number(1.4426950408889634)))
    r = a.fma(n, a.number(-high), x)
    r = a.fma(n, a.number(-low), r)
    r = a.do("fadd", r, rest) if rest else r
    series = a.horner(r, [1 / factorial(k) for k in range(a.terms, 1, -1)])
    return a.fma(a.do("fmul", r, r), series, r), bits


def expm1(a: Arithmetic, x: str) -> str:
    """exp(x) - 1 for x <= 0, without the loss of the difference near 0."""
    q, n = _exponential(a, a.at_least(x, a.format.saturated))
    power = a.power_of_two(n)
    return a.fma(q, power, a.do("fsub", power, a.number(1)))


def times_sigmoid(a: Arithmetic, factor: str, x: str, rest: str = "") -> str:
    """factor / (1 + exp(-x)), by e = exp(-|x|): factor e / (1 + e) below 0, and factor / (1 + e) above.

    With 2^k e for e nothing is subnormal before the division, which rounds once, and processors take long for what is.
    Where x is far below 0, the factor has to be finite, and the result is 0. `rest`: what the rounding of -|x| has
    lost, if it is known.
    """
    lift = 2.0**a.format.lifted
    exponent = a.negative(a.magnitude(x))
    vanishes = a.compare("olt", exponent, a.number(a.format.beyond))
    q, n = _exponential(a, a.select(vanishes, a.number(-1), exponent), rest)
    e = a.do("fmul", a.do("fadd", q, a.number(1)), a.power_of_two(n, a.format.lifted))
    sum_, below = a.do("fadd", e, a.number(lift)), a.compare("olt", x, a.number(0))
    above = a.select(below, a.do("fmul", factor, e), factor)
    result = a.do("fdiv", above, a.select(below, sum_, a.do("fmul", sum_, a.number(1 / lift))))
    limit = a.select(below, a.do("fmul", factor, a.number(0)), factor)
    return a.select(vanishes, limit, result)


def sigmoid(a: Arithmetic, x: str) -> str:
    """1 / (1 + exp(-x))."""
    return times_sigmoid(a, a.number(1), x)


def silu(a: Arithmetic, x: str) -> str:
    """x / (1 + exp(-x))."""
    x = a.at_least(x, a.format.beyond)
    return times_sigmoid(a, x, x)


def tanh(a: Arithmetic, x: str) -> str:
    """The hyperbolic tangent: of |x| it is -e / (e + 2) with e = exp(-2 |x|) - 1."""
    e = expm1(a, a.do("fmul", a.magnitude(x), a.number(-2)))
    return a.magnitude(a.do("fdiv", e, a.do("fadd", e, a.number(2))), x)


def gelu_tanh(a: Arithmetic, x: str) -> str:
    """x / 2 (1 + tanh(u)) = x / (1 + exp(-2 u)), with u = sqrt(2 / pi) (x + 0.044715 x^3); far below it is 0."""
    if a.v.element == "float" and not a.f.module.isa.fma:
        return in_double(a, gelu_tanh, x)
    x = a.at_least(x, -30.0)
    if a.f.module.isa.fma:
        return times_sigmoid(a, x, *_gelu_exponent(a, x))
    inner = a.fma(a.do("fmul", x, x), a.number(_CUBIC[0]), a.number(_LINEAR[0]))
    return times_sigmoid(a, x, a.do("fmul", x, inner))


#: 2 u = x (linear + cubic x^2), linear = sqrt(8 / pi), cubic = 0.044715 linear: the nearest doubles, and the rest.
_LINEAR, _CUBIC = (1.5957691216057308, -9.96930880911092e-17), (0.07135481627260025, -6.175149918155315e-19)
#: Beyond, GELU is x, and its exponent need not be known: products of what is larger would overflow.
_LARGE = 30.0


def _gelu_exponent(a: Arithmetic, x: str) -> tuple[str, str]:
    """2 u, and what the rounding of -|2 u| has lost: an exponential amplifies it (T. Dekker's sums and products)."""
    x = a.select(a.compare("ogt", x, a.number(_LARGE)), a.number(_LARGE), x)
    square = a.do("fmul", x, x)
    of_square = a.fma(x, x, a.negative(square))
    (cubic, of_cubic), (linear, of_linear) = a.split(*_CUBIC), a.split(*_LINEAR)
    term = a.do("fmul", cubic, square)
    lost = a.fma(cubic, square, a.negative(term))
    lost = a.fma(cubic, of_square, a.fma(of_cubic, square, lost))
    # Of a sum, what is lost of the smaller part; which one that is depends on x.
    inner = a.do("fadd", linear, term)
    back = a.do("fsub", inner, linear)
    left = a.do("fsub", linear, a.do("fsub", inner, back))
    lost = a.do("fadd", lost, a.do("fadd", left, a.do("fsub", term, back)))
    lost = a.do("fadd", lost, of_linear)
    result = a.do("fmul", x, inner)
    lost = a.fma(x, lost, a.fma(x, inner, a.negative(result)))
    below = a.compare("olt", x, a.number(0))
    return result, a.select(below, lost, a.negative(lost))


@dataclass(frozen=True, slots=True)
class _Circle:
    """What the reduction of an angle to an eighth of a circle, and the series of its sine, are made of."""

    half_pi: tuple[float, float, float]  #: pi / 2 in parts, of which multiples are exact for the first two
    terms: int  #: of the series, but for the first
    known: float  #: beyond, the sine is not known: a rounding of the angle is worth an eighth


#: Multiples up to 2^24 of parts of 28 bits, and up to 2^13 of parts of 11 bits.
_CIRCLES = {
    "double": _Circle((1.570796325802803, 9.920935739593517e-10, 5.721188726109832e-18), 7, 2.0**49),
    "float": _Circle((1.5703125, 4.837512969970703e-4, 7.549789954891882e-8), 4, 2.0**21),
}


def sine_squared(a: Arithmetic, x: str, lost: str = "", unknown: str = "") -> str:
    """sin(x)^2, or sin(x + lost)^2 of a part that is lost in x; where it is not known 0, or what is given."""
    circle = _CIRCLES[a.v.element]
    n, bits = a.rounded(a.do("fmul", x, a.number(2 / pi)))
    r = x
    for part in circle.half_pi:
        r = a.fma(n, a.number(-part), r)
    r = a.do("fadd", r, lost) if lost else r
    square = a.do("fmul", r, r)
    series = a.horner(square, [(-1) ** k / factorial(2 * k + 1) for k in range(circle.terms, 0, -1)])
    sine = a.fma(a.do("fmul", square, series), r, r)
    sine = a.do("fmul", sine, sine)
    odd = a.f.let(f"icmp ne {a.integers.text} {a.bits('and', bits, 1)}, zeroinitializer")
    result = a.select(odd, a.do("fsub", a.number(1), sine), sine)
    return a.select(a.compare("olt", a.magnitude(x), a.number(circle.known)), result, unknown or a.number(0))


def snake(a: Arithmetic, x: str, alpha: str) -> str:
    """x + sin(alpha x)^2 / alpha; x where alpha is 0."""
    if a.v.element == "float":
        return in_double(a, snake, x, alpha)
    wave = a.do("fdiv", sine_squared(a, a.do("fmul", alpha, x)), alpha)
    return a.select(a.compare("oeq", alpha, a.number(0)), x, a.do("fadd", x, wave))


def snake_beta(a: Arithmetic, x: str, alpha: str, share: str) -> str:
    """x + share sin(alpha x)^2.

    Not by way of double: who computes it in float has lost more with the product than the sine does here. An alpha that
    is not finite gives NaN: here nobody has asked for it before.
    """
    angle = a.do("fmul", alpha, x)
    unknown = a.do("fmul", alpha, a.number(0))
    return a.fma(share, sine_squared(a, angle, a.fma(alpha, x, a.negative(angle)), unknown), x)


#: Terms of the series of exp that are enough where the result is rounded to float.
_FOR_FLOAT = 9


def in_double(a: Arithmetic, function: Callable[..., str], *arguments: str) -> str:
    """A function of floats by way of doubles, rounded once more."""
    double = Vector("double", a.v.lanes)
    wide = [a.f.let(f"fpext {a.v.text} {each} to {double.text}") for each in arguments]
    result = function(Arithmetic(a.f, double, _FOR_FLOAT), *wide)
    return a.f.let(f"fptrunc {double.text} {result} to {a.v.text}")


def relu(a: Arithmetic, x: str) -> str:
    """x, or 0 where it is below."""
    return a.select(a.compare("olt", x, a.number(0)), a.number(0), x)


def leaky_relu(a: Arithmetic, x: str, slope: str) -> str:
    """x, or slope x where it is below 0."""
    return a.select(a.compare("olt", x, a.number(0)), a.do("fmul", x, slope), x)


def elu(a: Arithmetic, x: str, alpha: str) -> str:
    """x, or alpha (exp(x) - 1) where it is below 0."""
    below = a.compare("olt", x, a.number(0))
    return a.select(below, a.do("fmul", alpha, expm1(a, a.select(below, x, a.number(0)))), x)


#: By the names of `activations.py`: functions of a vector, and of one of parameters where they have one.
FUNCTIONS: dict[str, Callable[..., str]] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "prelu": leaky_relu,
    "elu": elu,
    "silu": silu,
    "gelu_tanh": gelu_tanh,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "snake": snake,
}
#: Such as have two parameters, each one for each channel. They are no names of `activations.py`.
OF_TWO: dict[str, Callable[..., str]] = {"snake_beta": snake_beta}
