"""How a node that averages turns the average into its new model.

The average minus the node's last model is taken as a descent direction ``d`` (Reddi et al. 2021,
arXiv:2003.00295); the node keeps the optimiser's state of each module.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The average is the new model."""

    type: Literal["plain"] = "plain"


@dataclass(frozen=True, kw_only=True)
class Momentum:
    """Server momentum (Hsu et al. 2019, arXiv:1909.06335): ``v = momentum v + d``, new = last + rate v.

    Parameters
    ----------
    momentum : float
        In [0, 1).
    rate : float
        > 0.
    """

    type: Literal["momentum"] = "momentum"
    momentum: float = 0.6
    rate: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Adam:
    """FedAdam (Reddi et al. 2021, algorithm 2): ``new = last + rate m / (sqrt(v) + floor)``.

    ``m = first m + (1 - first) d`` and ``v = second v + (1 - second) d^2``, both from 0, without correction.

    Parameters
    ----------
    rate : float
        Longest step of a parameter, about, > 0: as far as training moves one between two averages.
    first, second : float
        Decay of the means of ``d`` and of its square, in [0, 1).
    floor : float
        Keeps steps short where ``d`` is small, > 0.
    """

    type: Literal["adam"] = "adam"
    rate: float = 0.02
    first: float = 0.9
    second: float = 0.99
    floor: float = 1e-3


ServerOptimiser = Annotated[Plain | Momentum | Adam, Field(discriminator="type")]

Memory = tuple[FloatArray, ...]
"""What an optimiser keeps: nothing, ``(v,)`` or ``(m, v)``, each of the size of the module."""


def advance(
    optimiser: Plain | Momentum | Adam, average: FloatArray, last: FloatArray, memory: Memory | None
) -> tuple[FloatArray, Memory]:
    """Return the new model and what to keep.

    Parameters
    ----------
    optimiser : Plain, Momentum or Adam
        What to do.
    average, last : array of float, shape (size,)
        Weighted average of the updates, and the node's last model.
    memory : tuple of array or None
        What the node kept; ``None`` at first.
    """
    direction = average - last
    match optimiser:
        case Momentum():
            (speed,) = memory or (np.zeros_like(average),)
            speed = optimiser.momentum * speed + direction
            return last + optimiser.rate * speed, (speed,)
        case Adam():
            mean, square = memory or (np.zeros_like(average), np.zeros_like(average))
            mean = optimiser.first * mean + (1.0 - optimiser.first) * direction
            square = optimiser.second * square + (1.0 - optimiser.second) * direction**2
            return last + optimiser.rate * mean / (np.sqrt(square) + optimiser.floor), (mean, square)
        case _:
            return average, ()
