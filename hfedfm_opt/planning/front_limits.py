"""The points of a front whose devices keep their limits of energy."""

from collections.abc import Callable, Mapping

from hfedfm_opt.planning.device_energy import device_limits
from hfedfm_opt.planning.place import NoPlacement
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.violations import TOLERANCE
from hfedfm_opt.system.instance import Instance
from solvers.common import StopReason


def points_within(instance: Instance, num_points: int, plan_of: Callable[[int], Plan]) -> list[int]:
    """Return the points at which no device is over its limit; all points if there is no limit.

    Parameters
    ----------
    instance : Instance
        What is given.
    num_points : int
        Points of the front.
    plan_of : callable
        Makes the plan of a point.

    Raises
    ------
    NoPlacement
        If no point is left.
    """
    limits = device_limits(instance)
    if not limits:
        return list(range(num_points))
    kept = [point for point in range(num_points) if _keeps(plan_of(point), limits)]
    if not kept:
        raise NoPlacement(
            f"each of the {num_points} points breaks a limit on the energy of a device: raise these limits "
            "(max_device_energy_j, max_energy_j of nodes)",
            StopReason.NO_PROGRESS,
        )
    return kept


def _keeps(plan: Plan, limits: Mapping[str, float]) -> bool:
    spent = plan.prediction.node_energy_j
    return all(spent.get(device, 0.0) <= limit * (1 + TOLERANCE) for device, limit in limits.items())
