"""Whether modules that are trained elsewhere are so where their updates can join the averages."""

from collections.abc import Iterator

from hfedfm_opt.planning.violations import PlanViolation
from hfedfm_opt.system.decisions import Decisions
from hfedfm_opt.system.network import Network


def training_violations(
    network: Network, decisions: Decisions, *, every_round_reaches_cloud: bool
) -> Iterator[PlanViolation]:
    """Yield what is wrong with the hosts of trained modules.

    A host is the node of the device's cluster, or one above it on the way to the cloud.  One above serves
    several clusters, which it holds together: then every round must reach the cloud.  A device that is served
    has no replica of its own.

    Parameters
    ----------
    network : Network
        The network, with who trains what.
    decisions : Decisions
        The plan.
    every_round_reaches_cloud : bool
        Whether some module is due in each kind of round.
    """
    cluster_of = {member: cluster.id for cluster in decisions.clusters for member in cluster.members}
    hosted = {(entry.module, entry.node) for entry in decisions.hosted}
    for (device, module), host in network.trained_by.items():
        place, cluster = f"module {module!r} of device {device!r}", cluster_of[device]
        if host not in network.path_up(cluster):
            yield PlanViolation(
                place,
                f"is trained on {host!r}, must be on the device, on {cluster!r}, which names its cluster, or "
                "on a node above that",
            )
        elif host != cluster and not every_round_reaches_cloud:
            yield PlanViolation(
                place,
                f"is trained on {host!r}, above its cluster, but not every round reaches the cloud: must be "
                f"on the device or on {cluster!r}, or some module due in each round",
            )
        if (module, device) in hosted:
            yield PlanViolation(
                place, f"is trained on {host!r}, but the device hosts a replica too: it must not"
            )
