"""Which modules travel where: the one rule that predictions and schedules must share."""

from collections.abc import Iterable, Mapping

from hfedfm_opt.planning.rounds import Kind
from hfedfm_opt.planning.trees import Modules
from hfedfm_opt.system.decisions import Cluster, Consensus, Hop, Mixing
from hfedfm_opt.system.network import Network


def kept_modules(network: Network, cluster: Cluster, kind: Kind) -> Mapping[str, Modules]:
    """Return what each member must get of the average that stays in its cluster.

    A server sends each device the modules that it trains.  Over D2D links the whole average travels to
    every member, whatever the member trains, so that any of them can pass it on.  By consensus nobody sends
    an average.

    Parameters
    ----------
    network : Network
        The network.
    cluster : Cluster
        The cluster.
    kind : Kind
        The kind of round; its due modules go to the cloud instead.
    """
    if cluster.consensus is not None:
        return dict.fromkeys(cluster.members, frozenset())
    own = {device: frozenset(network.trained_on[device]) - kind.due for device in cluster.members}
    if cluster.aggregator not in cluster.members:
        return own
    union = frozenset[str]().union(*own.values())
    return dict.fromkeys(cluster.members, union)


def gathered_modules(network: Network, cluster: Cluster, kind: Kind) -> Mapping[str, Modules]:
    """Return what each member sends up to the aggregator: with consensus only what is due."""
    own = {device: frozenset(network.trained_on[device]) for device in cluster.members}
    if cluster.consensus is None:
        return own
    return {device: modules & kind.due for device, modules in own.items()}


def carried_from(network: Network, carried: Mapping[str, Modules], kind: Kind) -> dict[str, Modules]:
    """Return what each node of the way to the cloud has for it: of its cluster, and what it trains itself.

    Parameters
    ----------
    network : Network
        The network, with who trains what.
    carried : mapping of str to frozenset of str
        Due modules that each cluster sends.
    kind : Kind
        The kind of round.
    """
    result = dict(carried)
    for host, modules in network.trained_at.items():
        result[host] = result.get(host, frozenset()) | (frozenset(modules) & kind.due)
    return result


def models_at_hosts(network: Network, clusters: Iterable[Cluster], kind: Kind) -> dict[str, Modules]:
    """Return which of the replicas that nodes train for others get a new model in a round.

    All that are due do.  What is not due does where the node itself averages its cluster; a node above the
    average keeps its replica as it trained it until the cloud averages.

    Parameters
    ----------
    network : Network
        The network, with who trains what.
    clusters : iterable of Cluster
        Whose round it is.
    kind : Kind
        The kind of round.
    """
    averaging = {c.id for c in clusters if c.aggregator == c.id and c.consensus is None}
    found = {
        host: frozenset(module for module in modules if module in kind.due or host in averaging)
        for host, modules in network.trained_at.items()
    }
    return {host: modules for host, modules in found.items() if modules}


def mixed_modules(consensus: Consensus, kind: Kind) -> tuple[tuple[Mixing, Modules], ...]:
    """Return who mixes what in a kind of round; mixings of what is due alone are left out."""
    pairs = ((mixing, frozenset(mixing.modules) - kind.due) for mixing in consensus.mixings)
    return tuple((mixing, modules) for mixing, modules in pairs if modules)


def exchanged_modules(consensus: Consensus, kind: Kind) -> tuple[tuple[Hop, Modules], ...]:
    """Return the hops of a sweep, each with what travels: all that the receiver takes of the sender.

    Hops that carry nothing in this kind of round are left out.
    """
    taken: dict[tuple[str, str], Modules] = {}
    for mixing, modules in mixed_modules(consensus, kind):
        for pair in mixing.neighbours:
            for way in ((pair.first, pair.second), (pair.second, pair.first)):
                taken[way] = taken.get(way, frozenset()) | modules
    pairs = ((hop, taken.get((hop.source, hop.target), frozenset())) for hop in consensus.exchanges)
    return tuple((hop, modules) for hop, modules in pairs if modules)
