"""The best plan at nominal resources by trying everything: all placements, aggregators and trees."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from benchmarks.bounding.plans import Draft, Scope, finished
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.formulate_placement import PlacementTask, formulate_placement, servings_of
from hfedfm_opt.planning.hops import MissingLink, from_server, nominal_hop, to_server, tree_hops
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.precision import transport_of
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.decisions import Cluster, Decisions
from hfedfm_opt.system.network import Network

MOST_MEMBERS = 3
MOST_PLACEMENTS = 64


def can_be_tried(scope: Scope) -> bool:
    """Return whether all placements, aggregators and trees are few enough to try.

    Limits on hops or on a device's energy forbid to look at clusters one by one.
    """
    limits = scope.instance.limits
    if limits.max_device_energy_j is not None or limits.max_relay_hops is not None:
        return False
    task = formulate_placement(scope.network, scope.reach)
    sizes = [len(members) for members in scope.network.members.values()]
    choices = math.prod(len(pairs) for pairs in _pairs_of(task).values())
    return max(sizes) <= MOST_MEMBERS and choices * max(sizes) <= MOST_PLACEMENTS


def optimum(scope: Scope) -> float:
    """Return the least objective of all plans at nominal resources; inf if none keeps all limits."""
    task = formulate_placement(scope.network, scope.reach)
    pairs = _pairs_of(task)
    best = math.inf
    for chosen in itertools.product(*pairs.values()):
        named = {demand: task.candidates[pair] for demand, pair in zip(pairs, chosen, strict=True)}
        placed = Placed(*servings_of(scope.network, task, named), -math.inf)
        best = min(best, _best_arrangement(scope, placed, best))
    return best


def _pairs_of(task: PlacementTask) -> Mapping[tuple[str, str], list[int]]:
    pairs: dict[tuple[str, str], list[int]] = {demand: [] for demand in task.demands}
    for pair, demand in enumerate(task.problem.pair_demand.tolist()):
        pairs[task.demands[demand]].append(pair)
    return pairs


def _best_arrangement(scope: Scope, placed: Placed, known: float) -> float:
    """Return the least objective for a placement, or a larger one than is known already."""
    network = with_training(scope.network, placed.servings)
    prices = scope.instance.objective
    fronts = []
    for server in network.members:
        rows = _nondominated(scope, network, placed, list(_clusters(network, server, scope.period)))
        if not rows:
            return math.inf
        fronts.append(rows)
    best = known
    for clusters in itertools.product(*fronts):
        cost = predict(network, _decisions(scope, network, placed, clusters))
        value = prices.energy_weight_per_j * cost.energy_j + prices.time_weight_per_s * cost.latency_s
        if value < best and finished(scope, Draft(placed, clusters, {})) is not None:
            best = value
    return best


def _nondominated(scope: Scope, network: Network, placed: Placed, found: Sequence[Cluster]) -> list[Cluster]:
    """Return the clusters that no other beats in both latency and energy, the other clusters left out."""
    rows = []
    for position, cluster in enumerate(found):
        alone = [serving for serving in placed.servings if serving.device in cluster.members]
        decisions = _decisions(scope, network, replace(placed, servings=tuple(alone)), (cluster,))
        cost = predict(network, decisions)
        rows.append((cost.latency_s, cost.energy_j, position))
    kept, least = [], math.inf
    for _, energy_j, position in sorted(rows):
        if energy_j < least:
            kept.append(found[position])
            least = energy_j
    return kept


def _decisions(scope: Scope, network: Network, placed: Placed, clusters: Sequence[Cluster]) -> Decisions:
    transport = transport_of(scope.instance, scope.options.transport_bits)
    arrangement = Arrangement(tuple(clusters), (), -math.inf, "")
    return assemble(network, "brute force", scope.period, placed, arrangement, transport)


def _clusters(network: Network, server: str, period: int | None) -> Iterator[Cluster]:
    """Yield every way of a cluster to average at nominal resources."""
    members, to_cloud = network.members[server], period is not None
    try:
        down = from_server(network, members, server)
        up = to_server(network, members, server)
        yield Cluster(id=server, members=members, aggregator=server, gather=up, deliver=down, downlink=down)
    except MissingLink:
        pass
    for root in members:
        try:
            uplink = (nominal_hop(network, root, server, len(members)),) if to_cloud else ()
            downlink = from_server(network, members, server) if to_cloud else ()
        except MissingLink:
            continue
        ups = list(_trees(network, members, root, outwards=False))
        downs = list(_trees(network, members, root, outwards=True))
        downs = downs[:1] if period == 1 else downs
        legs = ups if to_cloud else [None]
        for way_up, leg, way_down in itertools.product(ups, legs, downs):
            for order in itertools.permutations(way_down):
                yield Cluster(
                    id=server,
                    members=members,
                    aggregator=root,
                    gather=tree_hops(network, way_up, members),
                    gather_to_cloud=None if leg in (None, way_up) else tree_hops(network, leg, members),
                    deliver=tree_hops(network, order, members),
                    uplink=uplink,
                    downlink=downlink,
                )


def _trees(
    network: Network, members: Sequence[str], root: str, *, outwards: bool
) -> Iterator[list[tuple[str, str]]]:
    """Yield all trees to a root, or from it, over links that there are, as (sender, receiver) pairs."""
    others = [member for member in members if member != root]
    for parents in itertools.product(members, repeat=len(others)):
        above = dict(zip(others, parents, strict=True))
        pairs = [(high, low) if outwards else (low, high) for low, high in above.items()]
        if all(pair in network.edges for pair in pairs) and all(_reaches(above, n, root) for n in others):
            yield pairs


def _reaches(above: Mapping[str, str], node: str, root: str) -> bool:
    for _ in range(len(above) + 1):
        if node == root:
            return True
        node = above[node]
    return False
