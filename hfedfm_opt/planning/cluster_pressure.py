"""The least pressure under which the devices of each cluster keep their limits: all clusters in parallel.

Multipliers at which the bound is best leave clusters on either side of their limits.  Pressure multiplies the
prices of a cluster's devices that were ever over a limit; it grows until they keep to it, falls
while they do, and is then bisected.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hfedfm_opt.planning.joule_multipliers import Multipliers
from hfedfm_opt.planning.violations import TOLERANCE
from hfedfm_opt.system.decisions import Cluster

CLOSE = 1.05
"""Ratio of the pressures on both sides of a limit at which a cluster is done."""
MOST, LEAST = 4.0**6, 4.0**-2
"""Pressures beyond which nothing is tried."""
STEP = 4.0
"""Ratio of one pressure to the next before there is one on each side of the limit."""


@dataclass(frozen=True)
class _Bracket:
    """The largest pressure that was too low, the smallest that was enough, and the next one."""

    low: float = 0.0
    high: float = math.inf
    tried: float = 1.0

    @property
    def is_done(self) -> bool:
        return self.high <= CLOSE * self.low or not LEAST <= self.tried <= MOST

    def after(self, *, kept: bool) -> "_Bracket":
        low, high = (self.low, min(self.high, self.tried)) if kept else (self.tried, self.high)
        if low == 0.0 or low >= high:
            return _Bracket(0.0, high, high / STEP) if kept else _Bracket(low, math.inf, STEP * low)
        return _Bracket(low, high, math.sqrt(low * high) if math.isfinite(high) else STEP * low)


class Pressure:
    """Pressures on clusters, and what was heard of them.

    Parameters
    ----------
    caps : mapping of str to float
        Most joules per round of devices.
    clusters : iterable of Cluster
        All clusters.
    multipliers : Multipliers
        Where to start.
    unit : float
        Price of a joule with which devices start that have none.
    even : bool
        Whether all devices of a cluster that were ever over a limit have the same price, or that of the
        multipliers.
    """

    def __init__(
        self,
        caps: Mapping[str, float],
        clusters: Iterable[Cluster],
        multipliers: Multipliers,
        unit: float,
        *,
        even: bool,
    ) -> None:
        self._even = even
        self._caps, self._multipliers, self._unit = caps, multipliers, unit
        self._members = {cluster.id: cluster.members for cluster in clusters}
        self._tight: set[str] = set()
        self._brackets: dict[str, _Bracket] = {}

    def note(self, node_energy_j: Mapping[str, float]) -> None:
        """Press from now on also on the devices that are over their caps in a plan."""
        self._tight |= self._over(node_energy_j)
        for name, members in self._members.items():
            if name not in self._brackets and self._tight & set(members):
                self._brackets[name] = _Bracket()

    def next_prices(self) -> dict[str, float]:
        """Return what a joule of devices should cost next, besides any joule; empty when all is done."""
        if all(bracket.is_done for bracket in self._brackets.values()):
            return {}
        prices: dict[str, float] = {}
        for name, members in self._members.items():
            bracket = self._brackets.get(name)
            known = {device: self._multipliers.limit.get(device, 0.0) for device in members}
            if bracket is not None:
                pressure = bracket.high if bracket.is_done and math.isfinite(bracket.high) else bracket.tried
                known = {device: pressure * price for device, price in self._start(known).items()}
            prices |= {device: price for device, price in known.items() if price > 0}
        return prices

    def _start(self, known: Mapping[str, float]) -> dict[str, float]:
        """Return the prices in a cluster that pressure multiplies."""
        highest = max(known.values()) or self._unit
        if self._even:
            return {device: highest if device in self._tight else 0.0 for device in known}
        return {device: price or (self._unit if device in self._tight else 0.0)
                for device, price in known.items()}  # fmt: skip

    def heard(self, node_energy_j: Mapping[str, float]) -> None:
        """Note what devices spent at the prices that were given last.

        Where a device is over its limit that was not pressed on, the same pressure is tried with it.
        """
        over = self._over(node_energy_j)
        for name, bracket in self._brackets.items():
            unpressed = (over - self._tight) & set(self._members[name])
            if not bracket.is_done and not unpressed:
                self._brackets[name] = bracket.after(kept=not over & set(self._members[name]))
        self.note(node_energy_j)

    def _over(self, node_energy_j: Mapping[str, float]) -> set[str]:
        return {
            device
            for device, cap in self._caps.items()
            if node_energy_j.get(device, 0.0) > cap * (1 + TOLERANCE)
        }
