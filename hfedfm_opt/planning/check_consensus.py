"""Whether members that average by consensus mix all that they train, soundly, over links that they have."""

from collections import Counter
from collections.abc import Iterator

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.violations import PlanViolation, over
from hfedfm_opt.system.decisions import Cluster, Consensus, Mixing
from hfedfm_opt.system.network import Network


def consensus_violations(network: Network, cluster: Cluster, consensus: Consensus) -> Iterator[PlanViolation]:
    """Yield what is wrong with the consensus of a cluster.

    Each member mixes each module that it trains in exactly one mixing; nobody takes more than the whole of
    its neighbours' models; exchanges bring both neighbours what they take, as it is.

    Parameters
    ----------
    network : Network
        The network.
    cluster : Cluster
        The cluster.
    consensus : Consensus
        Its consensus.
    """
    place = f"cluster {cluster.id!r} consensus"
    pairs = Counter((hop.source, hop.target) for hop in consensus.exchanges)
    for (source, target), count in pairs.items():
        if count > 1:
            yield PlanViolation(place, f"has {count} exchanges {source!r} -> {target!r}, must have one")
        if not {source, target} <= set(cluster.members):
            yield PlanViolation(place, f"exchanges {source!r} -> {target!r}, must be between members")
    mixed: Counter[tuple[str, str]] = Counter()
    for number, mixing in enumerate(consensus.mixings):
        yield from _mixing(f"{place} mixing {number}", mixing, frozenset(pairs))
        mixed.update((node, module) for node in mixing.nodes for module in mixing.modules)
    for name in sorted({module for _, module in mixed}):
        if network.precision_bits(name) != FULL_BITS:
            bits = network.precision_bits(name)
            yield PlanViolation(place, f"mixes {name!r}, which travels with {bits} bits, must be {FULL_BITS}")
    trained = {(device, module) for device in cluster.members for module in network.trained_on[device]}
    for device, module in sorted(trained | set(mixed)):
        times = mixed[device, module]
        if (device, module) not in trained:
            yield PlanViolation(place, f"mixes {module!r} on {device!r}, which does not train it")
        elif times != 1:
            yield PlanViolation(place, f"mixes {module!r} on {device!r} {times} times, must mix it once")


def _mixing(place: str, mixing: Mixing, exchanged: frozenset[tuple[str, str]]) -> Iterator[PlanViolation]:
    total: dict[str, float] = {}
    met = Counter(frozenset((pair.first, pair.second)) for pair in mixing.neighbours)
    for pair in mixing.neighbours:
        who = f"{pair.first!r} and {pair.second!r}"
        if not {pair.first, pair.second} <= set(mixing.nodes):
            yield PlanViolation(place, f"has the neighbours {who}, must be two of its nodes")
        elif met[frozenset((pair.first, pair.second))] > 1 or pair.first == pair.second:
            yield PlanViolation(place, f"has the neighbours {who}, must be a pair that occurs once")
        for way in ((pair.first, pair.second), (pair.second, pair.first)):
            total[way[0]] = total.get(way[0], 0.0) + pair.weight
            if way not in exchanged:
                yield PlanViolation(
                    place, f"{way[1]!r} mixes with {way[0]!r}, but no exchange brings its model"
                )
    for node, weight in total.items():
        yield from over(place, f"weights of {node!r}", weight, 1.0, "")
