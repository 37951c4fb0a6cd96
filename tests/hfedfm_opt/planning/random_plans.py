"""Random plans for an instance: any trees, bands, powers and CPU frequencies that the limits allow."""

from collections.abc import Sequence

import numpy as np

from hfedfm_opt.planning.hops import from_server, to_server
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.system.decisions import Cluster, Frequency, Hop
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network, WirelessEdge


def random_plan(plan: Plan, generator: np.random.Generator) -> Plan:
    """Return a plan with the placement and periods of another one, and everything else drawn at random."""
    network = plan.network
    helped = {serving.device for serving in plan.decisions.servings}
    clusters = tuple(
        _random_cluster(network, cluster, generator, own_band=not helped & set(cluster.members))
        for cluster in plan.decisions.clusters
    )
    frequencies = tuple(
        Frequency(device=device, frequency_hz=processor.max_frequency_hz * float(generator.uniform(0.2, 1.0)))
        for device in network.devices
        if isinstance(processor := network.nodes[device].processor, Cpu) and device not in helped
    )
    changes = {"clusters": clusters, "frequencies": frequencies, "claim": None}
    return Plan(plan.instance, plan.decisions.model_copy(update=changes))


def _random_cluster(
    network: Network, cluster: Cluster, generator: np.random.Generator, *, own_band: bool
) -> Cluster:
    """Return a cluster with random trees; uplinks of all members are nominal without a band of their own."""
    members = cluster.members
    reached = [device for device in members if (device, cluster.id) in network.edges]
    if len(members) == 1 or (len(reached) == len(members) and generator.random() < 0.3):
        up = to_server(network, members, cluster.id)
        if own_band:
            up = _allocated(network, [(device, cluster.id) for device in members], generator)
        return cluster.model_copy(
            update={
                "aggregator": cluster.id,
                "gather": up,
                "gather_to_cloud": None,
                "deliver": from_server(network, members, cluster.id),
                "uplink": (),
                "downlink": from_server(network, members, cluster.id),
            }
        )
    root = str(generator.choice(reached))
    up = _allocated(network, _random_tree(members, root, generator), generator)
    down = _allocated(
        network, [(high, low) for low, high in _random_tree(members, root, generator)], generator
    )
    to_cloud = bool(cluster.downlink) and bool(cluster.uplink or cluster.aggregator == cluster.id)
    return cluster.model_copy(
        update={
            "aggregator": root,
            "gather": up,
            "gather_to_cloud": None,
            "deliver": down,
            "uplink": _allocated(network, [(root, cluster.id)], generator) if to_cloud else (),
            "downlink": from_server(network, members, cluster.id) if to_cloud else (),
        }
    )


def _random_tree(
    members: Sequence[str], root: str, generator: np.random.Generator
) -> list[tuple[str, str]]:
    """Return (node, parent) pairs: each node hangs under one that was there before."""
    others = [member for member in generator.permutation(list(members)).tolist() if member != root]
    there, pairs = [root], []
    for node in others:
        pairs.append((node, str(generator.choice(there))))
        there.append(node)
    return pairs


def _allocated(
    network: Network, pairs: Sequence[tuple[str, str]], generator: np.random.Generator
) -> tuple[Hop, ...]:
    shares = generator.dirichlet(np.full(len(pairs), 2.0))
    hops = []
    for (source, target), share in zip(pairs, shares.tolist(), strict=True):
        edge, radio = network.edges[source, target], network.nodes[source].radio
        if not isinstance(edge, WirelessEdge):
            hops.append(Hop(source=source, target=target))
            continue
        assert radio is not None
        power_w = radio.max_power_w * float(generator.uniform(0.05, 1.0))
        band_hz = max(share, 1e-3) / 1.01 * network.bands[edge.band].band_hz
        hops.append(Hop(source=source, target=target, band_hz=band_hz, power_w=power_w))
    return tuple(hops)
