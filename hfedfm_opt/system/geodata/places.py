"""What lists of positions say: sites and devices on a map."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """Nodes of one kind on a map.

    Parameters
    ----------
    ids : tuple of str
        Their names.
    positions_m : array, shape (n, 2)
        East and north, m, rounded to the centimetre.
    height_m, max_power_w, memory_bytes : array, shape (n,), or None
        What is known of each node; NaN or ``None`` where nothing is.
    parent_of : mapping of str to str
        Parents that are known, by id.
    """

    ids: tuple[str, ...]
    positions_m: FloatArray
    height_m: FloatArray | None = None
    max_power_w: FloatArray | None = None
    memory_bytes: FloatArray | None = None
    parent_of: Mapping[str, str] = field(default_factory=dict)

    def known(self, name: str, index: int) -> float | None:
        """Return a figure of a node by its name here, or ``None`` where it is not known."""
        values: FloatArray | None = getattr(self, name)
        if values is None or np.isnan(values[index]):
            return None
        return float(values[index])
