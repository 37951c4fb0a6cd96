"""Multipliers of limits on energy and of fairness: what they make joules cost, and the next ones to try.

With prices ``lambda_d >= 0`` on the limits ``e_d <= B_d`` of devices, ``mu >= 0`` on that of all joules, and
``phi_d >= 0`` with a sum of at most ``w_F`` for fairness (``w_F max_d e_d >= sum_d phi_d e_d``), no plan that
keeps the limits costs less than

    L  =  min over plans of ( sum_n (w_E + mu + lambda_n + phi_n) e_n + w_T T )
          - mu E_max - sum_d lambda_d B_d .

The minimum is that of a network with these prices of joules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

LEAST_SHARE = 1e-5
"""Least price of a joule of a device, in parts of the largest: solvers know no free joules of devices."""
ROUNDING = 1e-12
"""Relative excess of a sum of prices that counts as rounding."""


@dataclass(frozen=True)
class Demands:
    """What a plan must keep besides what any search knows, and what fairness costs.

    Parameters
    ----------
    limit_j : mapping of str to float
        Most joules per round of devices that have a limit.
    max_energy_j : float
        Most joules per round of all nodes; inf: any.
    fairness : float
        Price of a joule of the device that spends most.
    """

    limit_j: Mapping[str, float]
    max_energy_j: float = np.inf
    fairness: float = 0.0

    @property
    def are_plain(self) -> bool:
        """Return whether there is nothing that the plain search does not know."""
        return not self.limit_j and self.fairness == 0


@dataclass(frozen=True)
class Multipliers:
    """Prices of the limits of devices, of fairness, and of the limit of all joules."""

    limit: Mapping[str, float] = field(default_factory=dict)
    fairness: Mapping[str, float] = field(default_factory=dict)
    total: float = 0.0

    def of_device(self, device: str) -> float:
        """Return what a joule of a device costs besides any joule."""
        return self.limit.get(device, 0.0) + self.fairness.get(device, 0.0)

    def constant(self, demands: Demands) -> float:
        """Return what the limits take off the weighted cost."""
        total = self.total * demands.max_energy_j if self.total > 0 else 0.0
        return total + sum(price * demands.limit_j[device] for device, price in self.limit.items())

    def are_proper(self, demands: Demands) -> bool:
        """Return whether they prove a bound: limits exist, and prices of fairness sum to at most its own."""
        within = sum(self.fairness.values()) <= demands.fairness * (1 + ROUNDING)
        return within and self.limit.keys() <= demands.limit_j.keys()

    def floored(self, any_joule: float, devices: Sequence[str], demands: Demands) -> "Multipliers":
        """Return multipliers under which no device's joules are free, where ``any_joule`` has no price.

        Devices without a limit then take a part of the price of fairness.
        """
        least = LEAST_SHARE * max((self.of_device(device) for device in devices), default=0.0)
        if any_joule >= least:
            return self
        limit, fairness = dict(self.limit), dict(self.fairness)
        for device in devices:
            missing = least - any_joule - self.of_device(device)
            if missing > 0:
                prices = limit if device in demands.limit_j else fairness
                prices[device] = prices.get(device, 0.0) + missing
        total = sum(fairness.values())
        scale = demands.fairness / total if 0 < demands.fairness < total else 1.0
        return Multipliers(limit, {name: scale * price for name, price in fairness.items()}, self.total)
