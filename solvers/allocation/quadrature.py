"""(exp(q) - 1) / q as a sum of exponentials of q, which convex programs take."""

import numpy as np

from solvers.common.arrays import FloatArray

_NODES = (12, 16, 24, 32, 48, 64)


def quadrature(largest: float) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre nodes and weights on [0, 1], exact to 1e-13 for q up to ``largest``."""
    for count in _NODES:
        node, weight = np.polynomial.legendre.leggauss(count)
        node, weight = 0.5 * (node + 1.0), 0.5 * weight
        exact = np.expm1(largest) / largest
        if abs(weight @ np.exp(largest * node) / exact - 1.0) < 1e-13:
            break
    return node, weight
