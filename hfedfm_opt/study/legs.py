"""Parts of a round: which step of a timeline belongs to which, and what each costs."""

from fl_runtime import Timeline, play
from hfedfm_opt.planning.plan import Plan

LEGS = (
    *("compute", "split execution", "D2D mixing", "D2D up"),
    *("to the server", "D2D down", "to the cloud", "back down"),
)
"""The parts of a round, in the order in which they come."""


def play_cycle(plan: Plan) -> Timeline:
    """Return the timeline of one cycle of a plan on a still channel."""
    return play(plan.compile(len(plan.compile(1).cycle)))


def leg_of(plan: Plan, timeline: Timeline, index: int) -> str | None:
    """Return the part of the round that a row of a timeline belongs to; ``None`` for steps without cost.

    Parameters
    ----------
    plan : Plan
        What was played.
    timeline : Timeline
        Its timeline.
    index : int
        The row.
    """
    action = timeline.action[index]
    if action == "compute":
        return "compute"
    if action != "transfer":
        return None
    source, target = timeline.node[index], timeline.peer[index]
    direction = timeline.step[index].replace(":", " ").split()[0]
    devices = frozenset(plan.network.devices)
    if direction == "sweep":
        return "D2D mixing"
    if direction not in {"gather", "deliver", "uplink", "downlink", "backhaul"}:
        return "split execution"
    if source in devices and target in devices:
        return "D2D down" if direction == "deliver" else "D2D up"
    if source in devices:
        return "to the cloud" if target == plan.network.root else "to the server"
    climbs = target in plan.network.path_up(source)
    return "to the cloud" if climbs else "back down"


def energy_of_legs(plan: Plan, timeline: Timeline) -> dict[str, float]:
    """Return the joules per round of each part that costs any, in the order of ``LEGS``."""
    joules = dict.fromkeys(LEGS, 0.0)
    for index in range(len(timeline)):
        leg = leg_of(plan, timeline, index)
        if leg is not None:
            spent = timeline.node_energy_j[index] + timeline.peer_energy_j[index]
            joules[leg] += float(spent) / timeline.num_rounds
    return {leg: amount for leg, amount in joules.items() if amount > 0}
