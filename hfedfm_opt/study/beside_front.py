"""Other planners beside a front: what each takes, and what the front takes within the same latency."""

from dataclasses import dataclass

from hfedfm_opt.planning.front import PlanFront
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.recipes import RECIPES, period_name
from hfedfm_opt.planning.settings import PlannerOptions


@dataclass(frozen=True)
class Beside:
    """A plan of another planner, at nominal resources.

    Parameters
    ----------
    planner : str
        Its name.
    latency_s, energy_j : float
        What it takes per round.
    front_energy_j : float or None
        The energy of the front's plan within that latency; ``None`` where the front has none so fast.
    """

    planner: str
    latency_s: float
    energy_j: float
    front_energy_j: float | None


def beside_front(front: PlanFront) -> tuple[Beside, ...]:
    """Return what other planners take at the period, the duplex and the precision of a front.

    The star, the servers, the random aggregators of the published scheme, and relays over other trees; those
    without a plan are left out.

    Parameters
    ----------
    front : PlanFront
        The front.
    """
    asked = front.options
    settings = PlannerOptions(duplex=asked.duplex, transport_bits=asked.transport_bits, seed=asked.seed)
    found = []
    for name in _names(asked.period):
        result = plan(front.instance, name, settings)
        if result.plan is not None:
            point = front.within(result.latency_s)
            least_j = None if point is None else float(front.energy_j[point])
            found.append(Beside(name, result.latency_s, result.energy_j, least_j))
    return tuple(found)


def _names(period: int | None) -> list[str]:
    relayed = [name for name, recipe in RECIPES.items() if recipe.arrangement == "relayed"]
    bases = ["edge-only", "edge-only+d2d"] if period is None else ["star"]
    bases += [] if period is None else [f"{base}:{period}" for base in ("hierarchical", "hierarchical+d2d")]
    return bases + [f"{name}:{period_name(period)}" for name in relayed]
