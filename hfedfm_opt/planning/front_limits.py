"""The points of a front whose devices keep their limits of energy."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hfedfm_opt.planning.device_energy import device_limits
from hfedfm_opt.planning.place import NoPlacement
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.violations import TOLERANCE
from solvers.common import StopReason
from solvers.common.arrays import frozen

if TYPE_CHECKING:
    from hfedfm_opt.planning.front import PlanFront


def within_device_limits(front: "PlanFront") -> "PlanFront":
    """Return the front without the points at which a device is over its limit; all points if there is none.

    Plans that such a point dominates are not looked for, so that what is left is not exact; bounds hold.

    Parameters
    ----------
    front : PlanFront
        Points found without regard to these limits.

    Raises
    ------
    NoPlacement
        If no point is left.
    """
    limits = device_limits(front.instance)
    if not limits:
        return front
    kept = [point for point in range(len(front)) if _keeps(front.plan_of(point), limits)]
    if not kept:
        raise NoPlacement(
            f"each of the {len(front)} points breaks a limit on the energy of a device: raise these limits "
            "(max_device_energy_j, max_energy_j of nodes)",
            StopReason.NO_PROGRESS,
        )
    rows = np.array(kept)
    return replace(
        front,
        latency_s=frozen(front.latency_s[rows]),
        energy_j=frozen(front.energy_j[rows]),
        bound_j=frozen(front.bound_j[rows]),
        exact=False,
        proof=f"{front.proof}; only points whose devices keep their limits are shown ({len(kept)} of "
        f"{len(front)}), found without regard to these limits",
        plan_of=lambda point: front.plan_of(kept[point]),
    )


def _keeps(plan: Plan, limits: dict[str, float]) -> bool:
    spent = plan.prediction.node_energy_j
    return all(spent.get(device, 0.0) <= limit * (1 + TOLERANCE) for device, limit in limits.items())
