"""From what was decided about a cluster at once to its hops and frequencies."""

from collections.abc import Sequence

from hfedfm_opt.planning.hops import nominal_hop
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.option_curves import Choice
from hfedfm_opt.system.decisions import Cluster, Frequency, Hop
from hfedfm_opt.system.network import Network
from solvers.clusters import ClusterPlan
from solvers.common.arrays import FloatArray, IntArray


def joint_cluster_of(network: Network, choice: Choice) -> tuple[Cluster, tuple[Frequency, ...]]:
    """Return the cluster of a joint option with its allocated hops, and the frequencies that were decided.

    Parameters
    ----------
    network : Network
        The network.
    choice : Choice
        A joint option with its plan.
    """
    cluster, plan = choice.option.joint, choice.plan
    assert cluster is not None, "only joint options come here"
    assert plan is not None, "a joint option that is chosen has a plan"
    members = choice.option.plan.members
    up = _hops(network, members, plan.parent, plan.order, (plan.bandwidth_hz, plan.power_w))
    down = _hops(
        network,
        members,
        plan.return_parent,
        plan.return_order,
        (plan.return_bandwidth_hz, plan.return_power_w),
        outwards=True,
    )
    aggregator = members[int(plan.root)]
    changes = {"aggregator": aggregator, "gather": up, "deliver": down}
    if cluster.problem.num_root_legs > 0:
        changes["uplink"] = (_uplink(network, cluster, plan, aggregator, choice.option.plan.id),)
    frequencies = tuple(
        Frequency(device=device, frequency_hz=float(frequency_hz))
        for device, frequency_hz in zip(members, plan.frequency_hz, strict=True)
        if device in cluster.scaled and frequency_hz > 0
    )
    return choice.option.plan.model_copy(update=changes), frequencies


def _hops(
    network: Network,
    members: Sequence[str],
    parent: IntArray,
    order: IntArray,
    allocated: tuple[FloatArray, FloatArray],
    *,
    outwards: bool = False,
) -> tuple[Hop, ...]:
    """Return the hops of a tree, in the order in which a half-duplex node should serve its neighbours."""
    nodes = sorted((node for node in range(len(members)) if parent[node] >= 0), key=lambda node: order[node])
    pairs = [(members[node], members[int(parent[node])]) for node in nodes]
    ways = [(high, low) for low, high in pairs] if outwards else pairs
    return tuple(
        _hop(network, way, len(members) - 1, float(allocated[0][node]), float(allocated[1][node]))
        for way, node in zip(ways, nodes, strict=True)
    )


def _hop(network: Network, way: tuple[str, str], sharers: int, band_hz: float, power_w: float) -> Hop:
    """Return a hop with its share and power; at nominal resources where nothing is sent."""
    hop = nominal_hop(network, *way, sharers)
    if band_hz <= 0 or power_w <= 0:
        return hop
    return hop.model_copy(update={"band_hz": band_hz, "power_w": power_w})


def _uplink(network: Network, cluster: JointCluster, plan: ClusterPlan, aggregator: str, server: str) -> Hop:
    hop = nominal_hop(network, aggregator, server, 1)
    if aggregator not in cluster.uplink_hz or plan.leg_power_w <= 0:
        return hop
    changes = {"band_hz": cluster.uplink_hz[aggregator], "power_w": float(plan.leg_power_w)}
    return hop.model_copy(update=changes)
