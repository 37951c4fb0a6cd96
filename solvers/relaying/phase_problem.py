"""A phase as a relaying problem of its own, with one root."""

from typing import Any

import numpy as np

from solvers.common.arrays import BoolArray, IntArray
from solvers.relaying.evaluate import evaluate
from solvers.relaying.phase import NO_LIMIT, Phase
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution


def phase_problem(phase: Phase, kept: IntArray) -> RelayingProblem:
    """Return the problem whose objective is the price of a phase's trees over the links ``kept``.

    That is a gather without a way back. A broadcast is a way back, after a gather between all members over
    links that cost nothing.
    """
    members = phase.member.copy()
    members[phase.root] = True
    common: dict[str, Any] = {
        "num_nodes": phase.num_nodes,
        "members": members,
        "relays": phase.relay,
        "roots": np.array([phase.root]),
        "half_duplex": phase.half_duplex,
        "max_root_children": None if phase.max_root_children == NO_LIMIT else phase.max_root_children,
        "max_hops": None if phase.max_hops == NO_LIMIT else phase.max_hops,
        "energy_weight": 1.0,
        "time_weight": phase.time_price,
    }
    with np.errstate(divide="ignore"):
        rate_bps = 1.0 / phase.s_per_bit[kept]
    if phase.broadcast_price is not None and phase.receive_price is not None:
        source, target = np.nonzero(
            members[:, None] & members[None, :] & ~np.eye(members.size, dtype=np.bool_)
        )
        return RelayingProblem(
            **common,
            link_source=source,
            link_target=target,
            link_rate_bps=np.full(source.size, np.inf),
            link_power_w=np.zeros(source.size),
            **_items(phase, members[:, None]),
            return_link_source=phase.parent[kept],
            return_link_target=phase.child[kept],
            return_link_rate_bps=rate_bps,
            return_link_power_w=np.zeros(kept.size),
            return_link_delay_s=phase.delay_s[kept],
            broadcast_power_w=phase.broadcast_price,
            receive_power_w=phase.receive_price,
        )
    holds = np.concatenate([phase.member[:, None], phase.holds & phase.member[:, None]], axis=1)
    holds[phase.root] = True  # what the root has is never sent
    return RelayingProblem(
        **common,
        link_source=phase.child[kept],
        link_target=phase.parent[kept],
        link_rate_bps=rate_bps,
        link_power_w=phase.second_price[kept],
        link_delay_s=phase.delay_s[kept],
        **_items(phase, holds),
        ready_s=phase.ready_s,
        num_round_trips=0.0,
        num_root_legs=1.0,
    )


def phase_plan(problem: RelayingProblem, phase: Phase, parent: IntArray) -> RelayingSolution:
    """Return the plan of a :func:`phase_problem` with a phase's tree."""
    if phase.broadcast_price is None:
        return evaluate(problem, phase.root, parent)
    return evaluate(problem, phase.root, _free_tree(phase), parent)


def phase_tree(phase: Phase, plan: RelayingSolution) -> IntArray:
    """Return the phase's tree in a plan of its :func:`phase_problem`."""
    return plan.parent if phase.broadcast_price is None else plan.return_parent


def _free_tree(phase: Phase) -> IntArray:
    """Return a tree within the limits over links from every node to every other."""
    parent = np.full(phase.num_nodes, -1)
    members = np.flatnonzero(phase.member)
    below_root = members[: phase.max_root_children]
    parent[below_root] = phase.root
    if members.size > below_root.size:
        parent[members[below_root.size :]] = below_root[0]
    return parent


def _items(phase: Phase, holds: BoolArray) -> dict[str, Any]:
    return {
        "item_bits": np.concatenate([[phase.fixed_bits], phase.item_bits]),
        "node_item_start": np.concatenate([[0], np.cumsum(holds.sum(axis=1))]),
        "node_item": np.nonzero(holds)[1],
    }
