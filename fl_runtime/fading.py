"""Block fading: power gains of unit mean, one draw per round and directed link, keyed by the seed.

A draw depends on the seed, the round and the names of source, target and band, and on nothing else: not on
the order in which steps are played, not on the number of rounds, not on which other links exist.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fading:
    """Small-scale fading of all wireless links.

    Parameters
    ----------
    model : {"rayleigh", "rician"}
        Without or with a line of sight.
    k_factor : float
        Rician K: power of the direct path over the power of the scattered ones, linear, >= 0; zero is
        Rayleigh fading.  Rayleigh fading ignores it.

    Raises
    ------
    ValueError
        For another model, or a K that is negative or not finite.
    """

    model: Literal["rayleigh", "rician"] = "rayleigh"
    k_factor: float = 3.0

    def __post_init__(self) -> None:
        if self.model not in ("rayleigh", "rician"):
            raise ValueError(f"fading model is {self.model!r}, must be 'rayleigh' or 'rician'")
        _refuse_bad_k(self.k_factor)


def rayleigh_power(generator: np.random.Generator, num_draws: int) -> FloatArray:
    """Return power gains of Rayleigh fading: exponential, mean one, variance one.

    The envelope of many scattered paths is Rayleigh distributed, its square exponential (Proakis and Salehi,
    Digital Communications, 5th ed., section 13.1).

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the randomness comes from.
    num_draws : int
        Number of independent gains, >= 0.

    Returns
    -------
    ndarray, shape (num_draws,)
        Power gains, linear, > 0.
    """
    return generator.standard_exponential(num_draws)


def rician_power(generator: np.random.Generator, k_factor: float, num_draws: int) -> FloatArray:
    """Return power gains of Rician fading: mean one, variance ``(1 + 2 K) / (1 + K)^2``.

    ``|sqrt(K / (K + 1)) + z|^2`` with z complex normal of variance ``1 / (K + 1)``: a direct path among
    scattered ones (Proakis and Salehi, Digital Communications, 5th ed., section 13.1).

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the randomness comes from.
    k_factor : float
        K, linear, >= 0; zero gives the law of :func:`rayleigh_power`.
    num_draws : int
        Number of independent gains, >= 0.

    Returns
    -------
    ndarray, shape (num_draws,)
        Power gains, linear, >= 0.

    Raises
    ------
    ValueError
        For a K that is negative or not finite.
    """
    _refuse_bad_k(k_factor)
    normals = generator.standard_normal((num_draws, 2))  # (draw, real and imaginary part)
    direct = np.sqrt(k_factor / (k_factor + 1.0))
    scattered = np.sqrt(0.5 / (k_factor + 1.0)) * normals
    gains: FloatArray = (direct + scattered[:, 0]) ** 2 + scattered[:, 1] ** 2
    return gains


def link_power_gains(
    fading: Fading, seed: int, source: str, target: str, band: str, num_rounds: int
) -> FloatArray:
    """Return the gains of one directed link for rounds 0 to ``num_rounds - 1``.

    Fewer rounds give a prefix of the same numbers.

    Parameters
    ----------
    fading : Fading
        The law.
    seed : int
        >= 0.
    source, target, band : str
        Names that, with the seed, key the draws.
    num_rounds : int
        Number of rounds, >= 0.

    Returns
    -------
    ndarray, shape (num_rounds,)
        Power gains of unit mean, linear.
    """
    digest = hashlib.sha256("\0".join((source, target, band)).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4")
    generator = np.random.Generator(np.random.PCG64([seed, *(int(word) for word in words)]))
    if fading.model == "rician":
        return rician_power(generator, fading.k_factor, num_rounds)
    return rayleigh_power(generator, num_rounds)


def _refuse_bad_k(k_factor: float) -> None:
    if not (np.isfinite(k_factor) and k_factor >= 0):
        raise ValueError(f"k_factor is {k_factor!r}, must be a finite number >= 0")
