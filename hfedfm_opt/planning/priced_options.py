"""The options of all clusters, with their trees priced side by side while there is time."""

import math
from dataclasses import dataclass

from hfedfm_opt.planning.alone_options import alone_options
from hfedfm_opt.planning.cluster_options import (
    MAX_ENUMERATED_MEMBERS,
    Option,
    Rhythm,
    relayed_options,
    server_options,
    tree_problem,
)
from hfedfm_opt.planning.joint_cluster import Joint, joint_options, refusal_of, sharers_of
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.planning.tree_prices import TreePrices
from hfedfm_opt.system.network import Network
from solvers.relaying import RelayingProblem


@dataclass(frozen=True)
class PricedOptions:
    """Options in the order of their clusters, and the servers of clusters whose trees came too late."""

    options: list[Option]
    late: frozenset[str]


def priced_options(
    network: Network,
    rhythm: Rhythm,
    ready: Readiness,
    *,
    allocate: bool,
    whole_band: bool = False,
    joint: bool = False,
    trees: TreePrices | None = None,
    stop_at: float = math.inf,
) -> PricedOptions:
    """Return the options of all clusters.

    Parameters
    ----------
    network : Network
        The network.
    rhythm : Rhythm
        How often the cloud averages.
    ready : Readiness
        When updates are ready.
    allocate, whole_band : bool
        Those of :func:`relayed_options`; it prices the trees of clusters that are small enough.
    joint : bool
        Whether trees and resources of D2D links are decided together where that can be.
    trees : TreePrices or None
        Who prices trees and remembers them; ``None``: this process, from nothing.
    stop_at : float
        Moment of ``time.monotonic()`` after which the trees of no further cluster are priced, unless it can
        average in no other way.
    """
    joins = joint and any(not refusal_of(network, members) for members in network.members.values())
    sharers = sharers_of(network) if joins else {}
    others: dict[str, list[Option]] = {}
    problems: dict[str, RelayingProblem] = {}
    for index, (server, members) in enumerate(network.members.items()):
        found = server_options(network, index, server, rhythm, ready, allocate=allocate)
        if len(members) == 1:
            found += alone_options(network, index, server, rhythm, ready, allocate=allocate)
        together = joint_options(network, index, server, rhythm, ready, sharers) if joint else Joint()
        others[server] = [*found, *together.options]
        if len(members) <= MAX_ENUMERATED_MEMBERS and not together.replaces_nominal:
            problem = tree_problem(network, server, rhythm, ready)
            problems |= {} if problem is None else {server: problem}
    ends = [stop_at if others[server] else math.inf for server in problems]
    prices = TreePrices() if trees is None else trees
    fronts = prices.fronts_of(list(problems.values()), ends)
    priced = {
        server: (problem, front)
        for (server, problem), front in zip(problems.items(), fronts, strict=True)
        if front is not None
    }
    options: list[Option] = []
    for index, server in enumerate(network.members):
        options += others[server]
        if server in priced:
            options += relayed_options(
                network,
                index,
                server,
                rhythm,
                ready,
                allocate=allocate,
                whole_band=whole_band,
                priced=priced[server],
            )
    return PricedOptions(options, frozenset(problems.keys() - priced.keys()))
