"""The six activation functions and their slopes, computed with + - × ÷, > and selection alone.

The results have the same bits wherever these operations are correctly rounded. The exp and erf of processors and
libraries differ in the last bit; here they are polynomials with a fixed order of evaluation. Errors are at most 2 units
in the last place (the tests check every exponent), except for GELU where z is far below 0: there 1 + erf cancels, as in
Keras, and the error is 2 units in the last place of z. All values, such as the preactivation `z` of a unit, are those
of `Operations`: float32 arrays of shape (trials,), or values of a program that is being generated.
"""

from math import log, pi, sqrt
from typing import Any

from deadrelu.engine.network import Network
from deadrelu.engine.operations import Operations

LN2_HIGH = 0.693145751953125  # the leading 16 bits of ln 2: the product with an integer exponent is exact in float32
LN2_LOW = log(2) - LN2_HIGH
ROUND = 12582912.0  # 1.5 × 2**23: adding, then subtracting it rounds a float32 below 2**22 to the nearest integer
# Coefficients of (exp(r) - 1 - r) / r² in powers of r for |r| <= ln 2 / 2; exp(r) - 1 has relative error 5e-10.
EXPM1 = (0.5, 0.16666667, 0.04166648, 0.008333208, 0.0013933565, 0.00019944266)
# Coefficients of (tanh(x) / x - 1) / x² in powers of x² for |x| <= 0.56; tanh then has relative error 2e-9.
TANH = (-0.33333316, 0.13332528, -0.053844694, 0.021035504, -0.0062174858)
# Coefficients of erf(x) / x - 1 in powers of x² for |x| <= 0.95, with absolute error 1e-9.
ERF = (0.12837917, -0.3761263, 0.11283625, -0.026855662, 0.005192202, -0.00080474175, 7.987429e-05)
# Coefficients of p(x) = log(1 - erf(x)) in powers of x for 0.94 <= x <= 4; 1 - exp(p(x)) is within 2e-9 of erf(x).
LOG_ERFC = (-0.00022853700, -1.1275408, -0.63740766, -0.10373509, 0.022132801, -0.003019749, 0.00019355833)


def activate(ops: Operations, network: Network, z: Any) -> Any:
    """Return the output of a unit with preactivation z; `ops` computes it, and z and the output are values of `ops`."""
    match network.activation:
        case "relu":
            return ops.select(z < 0.0, 0.0, z)  # with the comparison in this direction, NaN stays NaN
        case "leaky_relu":
            return ops.select(z > 0.0, z, z * network.negative_slope)
        case "elu":
            return ops.select(z < 0.0, ops.call(expm1, ops.select(z < 0.0, z, 0.0)), z)
        case "gelu":
            return z * 0.5 * (ops.call(erf, z * sqrt(0.5)) + 1.0)
        case "tanh":
            return ops.call(tanh, z)
        case "sigmoid":
            return ops.call(sigmoid, z)


def through(ops: Operations, network: Network, z: Any, output: Any, gradient: Any) -> Any:
    """Return dL/dz for a unit with preactivation z from its `output` and `gradient` = dL/d(output); L is the loss."""
    match network.activation:
        case "relu":
            return ops.select(z > 0.0, gradient, 0.0)
        case "leaky_relu":  # at 0 the slope is negative_slope, as in Keras
            return ops.select(z > 0.0, gradient, gradient * network.negative_slope)
        case "elu":
            return ops.select(z < 0.0, gradient * (output + 1.0), gradient)
        case "gelu":
            density = ops.call(exp, z * z * -0.5) * sqrt(0.5 / pi)
            return gradient * ((ops.call(erf, z * sqrt(0.5)) + 1.0) * 0.5 + z * density)
        case "tanh":
            return gradient * (1.0 - output * output)
        case "sigmoid":
            return gradient * (output * (1.0 - output))


def exp(ops: Operations, x: Any) -> Any:
    """Return exp(x) for x <= 0."""
    less_one, scale = _exp(ops, ops.select(x < -105.0, -105.0, x), bits=8)  # exp(x) is 0 in float32 below this bound
    return less_one * scale + scale


def expm1(ops: Operations, x: Any) -> Any:
    """Return exp(x) - 1 for x <= 0, with full relative accuracy near 0."""
    less_one, scale = _exp(ops, ops.select(x < -18.0, -18.0, x), bits=5)  # exp(x) - 1 is -1 in float32 below this bound
    return less_one * scale + (scale - 1.0)


def _exp(ops: Operations, x: Any, bits: int) -> tuple[Any, Any]:
    """Write x <= 0 as n ln 2 + r with |r| <= ln 2 / 2 and an integer n > -2**bits, and return exp(r) - 1 and 2**n."""
    n = (x * (1 / log(2)) + ROUND) - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    scale = 1.0
    for digit in (2**bit for bit in reversed(range(bits))):
        has = 0.5 - digit > n
        scale, n = ops.select(has, scale * 0.5**digit, scale), ops.select(has, n + float(digit), n)
    return _polynomial(r, EXPM1) * (r * r) + r, scale


def tanh(ops: Operations, x: Any) -> Any:
    """Return tanh(x): a polynomial near 0, and elsewhere ±(1 - 2t / (1 + t)) with t = exp(-2|x|)."""
    square = x * x
    near = x * (square * _polynomial(square, TANH)) + x
    size = ops.select(x < 0.0, -x, x)
    t = ops.call(exp, size * -2.0)
    beyond = 1.0 - (t + t) / (t + 1.0)
    return ops.select(size > 0.55, ops.select(x < 0.0, -beyond, beyond), near)


def sigmoid(ops: Operations, x: Any) -> Any:
    """Return 1 / (1 + exp(-x)): for t = exp(-|x|), 1 / (1 + t) if x > 0, t - t² / (1 + t) if t < ¼, or t / (1 + t)."""
    t = ops.call(exp, ops.select(x > 0.0, -x, x))
    small = t < 0.25
    ratio = ops.select(x > 0.0, 1.0, ops.select(small, t * t, t)) / (t + 1.0)
    return ops.select(x > 0.0, ratio, ops.select(small, t - ratio, ratio))


def erf(ops: Operations, x: Any) -> Any:
    """Return erf(x): a polynomial near 0, and elsewhere ±(1 - exp(p(min(|x|, 4)))) with p as in `LOG_ERFC`."""
    size = ops.select(x < 0.0, -x, x)
    near = x * _polynomial(x * x, ERF) + x
    size = ops.select(size > 4.0, 4.0, size)
    beyond = 1.0 - ops.call(exp, _polynomial(size, LOG_ERFC))
    return ops.select(size > 0.945, ops.select(x < 0.0, -beyond, beyond), near)


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """Evaluate a polynomial at x by Horner's rule; the coefficient of the lowest power comes first."""
    value = x * coefficients[-1] + coefficients[-2]
    for coefficient in reversed(coefficients[:-2]):
        value = value * x + coefficient
    return value
