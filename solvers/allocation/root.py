"""One root per cell of decreasing functions, all cells at once: Newton inside a bracket."""

from collections.abc import Callable

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray

Function = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
"""Given points z and the cells they belong to: the values, and the slopes (only used as a hint)."""


def decreasing_root(
    function: Function,
    start: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    tolerance: float = 1e-14,
    max_steps: int = 200,
) -> FloatArray:
    """Return for each cell the z in [low, high] at which a decreasing function falls to 0.

    Where the function is below 0 all over the bracket the answer is ``low``, and ``high`` where it is above.

    Parameters
    ----------
    function : callable
        ``function(z, cells)`` returns values and slopes; ``cells`` numbers the cells asked for.
    start, low, high : FloatArray, shape (M,)
        Where to start, and the bracket; a step outside the bracket becomes one to the middle of what is left.
    tolerance : float
        Absolute value of the function at which a cell is done.
    max_steps : int
        Evaluations after which the best point so far is returned.
    """
    first_low, last_high = low, high
    low, high = low.copy(), high.copy()
    z = np.clip(start, low, high)
    best, best_value = z.copy(), np.full(len(z), np.inf)
    active = np.arange(len(z))
    reach = np.full(len(z), 1.0)
    rises, falls = np.zeros(len(z), dtype=bool), np.zeros(len(z), dtype=bool)
    for _ in range(max_steps):
        value, slope = function(z[active], active)
        better = np.abs(value) < best_value[active]
        best[active[better]], best_value[active[better]] = z[active[better]], np.abs(value[better])
        above = value > 0
        rises[active] |= above
        falls[active] |= ~above
        low[active[above]] = z[active[above]]
        high[active[~above]] = z[active[~above]]
        step = _newton_step(value, slope, reach[active])
        reach[active] = np.where(np.abs(step) >= 0.99 * reach[active], 2.0 * reach[active], reach[active])
        proposal = z[active] + step
        inside = (proposal > low[active]) & (proposal < high[active])
        middle = 0.5 * (low[active] + high[active])
        z[active] = np.where(inside, proposal, middle)
        width = high[active] - low[active]
        done = (np.abs(value) <= tolerance) | (width <= 4e-16 * np.maximum(1.0, np.abs(z[active])))
        active = active[~done]
        if not len(active):
            break
    missed = best_value > tolerance
    best = np.where(missed & ~rises, first_low, best)
    return np.where(missed & ~falls, last_high, best)


def _newton_step(value: FloatArray, slope: FloatArray, reach: FloatArray) -> FloatArray:
    """Return Newton's step, at most ``reach`` long, and of that length where the slope is no help."""
    usable: BoolArray = slope < 0
    step = np.where(usable, -value / np.where(usable, slope, -1.0), np.copysign(reach, value))
    return np.clip(step, -reach, reach)
