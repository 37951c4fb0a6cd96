"""From the recipe of a baseline to its clusters."""

import math
from collections.abc import Sequence

from hfedfm_opt.planning import baselines
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.consensus import consensus_clusters
from hfedfm_opt.planning.formulate_relaying import formulate_relaying
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.recipes import Recipe
from hfedfm_opt.system.decisions import Cluster
from hfedfm_opt.system.network import Network
from solvers.common.arrays import IntArray
from solvers.relaying import RelayingSolution, solve

NO_BOUND = "no bound: a fixed arrangement proves nothing about others"


def arrange(network: Network, recipe: Recipe, placed: Placed, seed: int) -> Arrangement:
    """Return the clusters of a recipe that does not optimise them.

    Parameters
    ----------
    network : Network
        The network.
    recipe : Recipe
        The planner.
    placed : Placed
        Who runs what.
    seed : int
        Seed of random choices.

    Raises
    ------
    MissingLink
        If the arrangement needs a link that the network does not have.
    """
    return Arrangement(_clusters(network, recipe, placed, seed), (), -math.inf, NO_BOUND)


def _clusters(network: Network, recipe: Recipe, placed: Placed, seed: int) -> tuple[Cluster, ...]:
    to_cloud = recipe.period is not None
    if recipe.arrangement == "alone":
        return baselines.alone(network)
    if recipe.arrangement == "star":
        direct = all((device, network.root) in network.edges for device in network.devices)
        return baselines.star(network) if direct else baselines.around_servers(network)
    if recipe.arrangement == "servers":
        return baselines.around_servers(network)
    if recipe.arrangement == "published-d2d":
        chosen = baselines.random_aggregators(network, seed)
        return baselines.published_d2d(network, chosen, to_cloud=to_cloud)
    if recipe.arrangement == "consensus":
        chosen = baselines.random_aggregators(network, seed)
        return consensus_clusters(network, chosen, to_cloud=to_cloud)
    return tuple(
        _relayed(network, server, members, recipe, placed) for server, members in network.members.items()
    )


def _relayed(
    network: Network, server: str, members: Sequence[str], recipe: Recipe, placed: Placed
) -> Cluster:
    """Return a cluster over the tree of a relaying method, at the aggregator that the method likes best."""
    rhythm = Rhythm(recipe.period)
    roots = [member for member in members if (member, server) in network.edges or not rhythm.num_cloud_rounds]
    problem = formulate_relaying(
        network,
        members,
        readiness(network, placed.servings).seconds,
        roots=roots,
        num_round_trips=float(rhythm.num_edge_rounds),
        num_root_legs=float(rhythm.num_cloud_rounds),
    )
    solution: RelayingSolution | None = solve(problem, method=recipe.relaying).solution
    if solution is None:
        raise MissingLink(f"the D2D links below {server!r} do not connect its members")
    up = _pairs(members, solution.parent)
    down = [(high, low) for low, high in _pairs(members, solution.return_parent)]
    return baselines.relayed_cluster(
        network, server, members[solution.root], (up, down), to_cloud=bool(rhythm.num_cloud_rounds)
    )


def _pairs(members: Sequence[str], parent: IntArray) -> list[tuple[str, str]]:
    return [(members[node], members[above]) for node, above in enumerate(parent.tolist()) if above >= 0]
