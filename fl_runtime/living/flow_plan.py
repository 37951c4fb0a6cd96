"""What of a kind of round is the same in all its rounds, as flows of updates and models need it."""

from fl_runtime.compiled import nodes_of_step
from fl_runtime.living.chains import served_devices
from fl_runtime.schedule import RoundKind, Schedule


class FlowPlan:
    """Who hosts, trains and serves what in a kind of round.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    kind : RoundKind
        The kind.
    """

    def __init__(self, schedule: Schedule, kind: RoundKind) -> None:
        self.kind = kind
        self.nodes = tuple(node.id for node in schedule.nodes)
        self.nodes_of = [tuple(dict.fromkeys(nodes_of_step(step))) for step in kind.steps]
        self.served = served_devices(schedule, kind)
        self.hosted = _hosted(schedule)
        self.users: dict[tuple[str, str], tuple[str, ...]] = {}  # by host and module: devices that train it
        for route in schedule.routes:
            for module, host in route.hosts.items():
                known = self.users.get((host, module), ())
                self.users[host, module] = tuple(dict.fromkeys((*known, route.device)))


def _hosted(schedule: Schedule) -> dict[str, dict[str, bool]]:
    """Return which modules each host has, and whether with weight; where no replica has any, all count."""
    weighted = {replica.module for replica in schedule.replicas if replica.weight > 0}
    hosted: dict[str, dict[str, bool]] = {}
    for replica in schedule.replicas:
        heavy = replica.weight > 0 or replica.module not in weighted
        hosted.setdefault(replica.host, {})[replica.module] = heavy
    return hosted
