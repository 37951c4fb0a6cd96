"""Sums and maxima over the devices of each cell, for all cells at once."""

from dataclasses import dataclass, field

import numpy as np

from solvers.common.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Cells:
    """Devices grouped by cell.

    Parameters
    ----------
    cell : IntArray, shape (N,)
        Cell of each device; fastest in ascending order.
    count : int
        Number of cells M; some may be empty.
    """

    cell: IntArray
    count: int
    _order: IntArray | None = field(init=False, repr=False)
    _occupied: IntArray = field(init=False, repr=False)
    _starts: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sizes = np.bincount(self.cell, minlength=self.count)
        occupied = np.flatnonzero(sizes)
        unsorted = self.count > 1 and bool(np.any(self.cell[1:] < self.cell[:-1]))
        object.__setattr__(self, "_order", np.argsort(self.cell, kind="stable") if unsorted else None)
        object.__setattr__(self, "_occupied", occupied)
        object.__setattr__(self, "_starts", np.concatenate(([0], np.cumsum(sizes)[:-1]))[occupied])

    def sum(self, values: FloatArray) -> FloatArray:
        """Return the sum of ``values`` (N,) over each cell (M,); 0 for an empty cell."""
        return self._reduce(np.add, values)

    def max(self, values: FloatArray) -> FloatArray:
        """Return the maximum of non-negative ``values`` (N,) over each cell (M,); 0 for an empty cell."""
        return self._reduce(np.maximum, values)

    def spread(self, values: FloatArray) -> FloatArray:
        """Return, for each device, the value (M,) of its cell; one value that broadcasts if M is 1."""
        return values if self.count == 1 else values[self.cell]

    def _reduce(self, operation: np.ufunc, values: FloatArray) -> FloatArray:
        result = np.zeros(self.count)
        if len(self._occupied):
            grouped = values if self._order is None else values[self._order]
            result[self._occupied] = operation.reduceat(grouped, self._starts)
        return result
