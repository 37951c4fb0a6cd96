"""A phase as a relaying problem of its own: a gather of one root, without a way back."""

import numpy as np

from solvers.common.arrays import IntArray
from solvers.relaying.phase import NO_LIMIT, Phase
from solvers.relaying.problem import RelayingProblem


def phase_problem(phase: Phase, kept: IntArray) -> RelayingProblem:
    """Return the problem whose objective is the price of a phase's trees over the links ``kept``.

    The phase must not be a broadcast.
    """
    assert phase.broadcast_price is None, "asked only for unicast"
    holds = np.concatenate([phase.member[:, None], phase.holds & phase.member[:, None]], axis=1)
    holds[phase.root] = True  # what the root has is never sent
    members = phase.member.copy()
    members[phase.root] = True
    with np.errstate(divide="ignore"):
        rate_bps = 1.0 / phase.s_per_bit[kept]
    return RelayingProblem(
        num_nodes=phase.num_nodes,
        link_source=phase.child[kept],
        link_target=phase.parent[kept],
        link_rate_bps=rate_bps,
        link_power_w=phase.second_price[kept],
        link_delay_s=phase.delay_s[kept],
        item_bits=np.concatenate([[phase.fixed_bits], phase.item_bits]),
        node_item_start=np.concatenate([[0], np.cumsum(holds.sum(axis=1))]),
        node_item=np.nonzero(holds)[1],
        ready_s=phase.ready_s,
        members=members,
        relays=phase.relay,
        roots=np.array([phase.root]),
        half_duplex=phase.half_duplex,
        max_root_children=None if phase.max_root_children == NO_LIMIT else phase.max_root_children,
        max_hops=None if phase.max_hops == NO_LIMIT else phase.max_hops,
        energy_weight=1.0,
        time_weight=phase.time_price,
        num_round_trips=0.0,
        num_root_legs=1.0,
    )
