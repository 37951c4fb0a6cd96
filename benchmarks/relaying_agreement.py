"""Random small clusters over all variants of relaying: exact methods against the prices of all trees."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.common import Options
from solvers.relaying import RelayingProblem, solve

METHODS = ("branch_and_bound", "cp_sat")
NODES = (3, 4, 5, 6, 7)
TIME_LIMIT_S = 20.0
"""Seconds of each proof; the few that do not end by then are counted."""
TOLERANCE = 1e-6
"""Relative difference of two optima: exact methods end at gaps below it."""

VARIANTS: dict[str, dict[str, Any]] = {
    "full duplex": {"half_duplex": False},
    "half duplex": {"half_duplex": True},
    "mixed duplex": {},
    "unions": {"num_items": 4},
    "optional relays": {"num_relays": 2},
    "root outside": {"root_outside": True},
    "broadcast back": {"broadcast_power_w": 0.7, "receive_power_w": 0.1, "num_round_trips": 2.0},
    "few hops": {"max_hops": 2},
    "few root children": {"max_root_children": 1},
    "both limits": {"max_hops": 2, "max_root_children": 2},
    "own leg tree": {"own_leg_tree": True, "num_round_trips": 2.5, "num_root_legs": 1.0},
    "energy only": {"energy_weight": 1.0, "time_weight": 0.0},
    "time only": {"energy_weight": 0.0, "time_weight": 1.0},
}


@dataclass
class Tally:
    """What a method did on the clusters of a variant."""

    num_proven: int = 0
    num_wrong: int = 0
    num_open: int = 0
    worst: float = 0.0
    cpu_s: float = 0.0


def draw_variant(
    rng: np.random.Generator,
    num_nodes: int,
    *,
    num_items: int = 2,
    num_relays: int = 0,
    root_outside: bool = False,
    **fields: Any,
) -> RelayingProblem:
    """Draw links (85 %), rates, items and when nodes are ready; relays and a root outside come last."""
    source, target = np.nonzero(~np.eye(num_nodes, dtype=bool))
    kept = rng.random(source.size) < 0.85
    source, target = source[kept], target[kept]
    members, relays = np.ones(num_nodes, dtype=bool), np.zeros(num_nodes, dtype=bool)
    relays[num_nodes - min(num_relays, num_nodes - 2) :] = num_relays > 0
    members &= ~relays
    members[-1] &= not root_outside
    holds = (rng.random((num_nodes, num_items)) < 0.7) & members[:, None]
    drawn = {
        "num_nodes": num_nodes,
        "link_source": source,
        "link_target": target,
        "link_rate_bps": rng.uniform(1e6, 1e7, source.size),
        "link_power_w": rng.uniform(0.1, 1.0, source.size),
        "link_delay_s": 0.05 * rng.random(source.size),
        "item_bits": rng.uniform(1e5, 1e6, num_items),
        "node_item_start": np.concatenate([[0], np.cumsum(holds.sum(axis=1))]),
        "node_item": np.nonzero(holds)[1],
        "ready_s": rng.choice([0.0, 0.3]) * rng.random(num_nodes),
        "members": members,
        "relays": relays,
        "roots": [num_nodes - 1] if root_outside else np.flatnonzero(members),
        "half_duplex": rng.random(num_nodes) < 0.5,
        "time_weight": float(rng.choice([0.3, 1.0, 3.0])),
        "num_root_legs": float(rng.choice([0.0, 1.0])),
        "root_seconds": 0.2 * rng.random(num_nodes),
        "root_joules": 0.2 * rng.random(num_nodes),
    }
    return RelayingProblem(**(drawn | fields))


def agree(num_clusters: int) -> bool:
    """Print how often each method proves the optimum of all trees; return whether none contradicts it."""
    print(f"{num_clusters} clusters of {NODES[0]} to {NODES[-1]} nodes, against the prices of all trees")
    print(f"{'variant':>18} {'clusters':>8} {'without':>8} {'method':>16} ", end="")
    print(f"{'proven':>6} {'open':>5} {'wrong':>5} {'worst':>8} {'CPU s':>7}")
    right = True
    for turn, (name, fields) in enumerate(VARIANTS.items()):
        size = num_clusters // len(VARIANTS) + (turn < num_clusters % len(VARIANTS))
        tallies, num_without = {method: Tally() for method in METHODS}, 0
        for k in range(size):
            rng = np.random.default_rng([turn, k])
            problem = draw_variant(rng, NODES[k % len(NODES)], **fields)
            optimum = solve(problem, method="enumeration").objective
            num_without += math.isinf(optimum)
            for method, tally in tallies.items():
                judge(problem, optimum, method, tally)
        for method, tally in tallies.items():
            right &= tally.num_wrong == 0
            counts = f"{tally.num_proven:6d} {tally.num_open:5d} {tally.num_wrong:5d}"
            figures = f"{counts} {tally.worst:8.1e} {tally.cpu_s:7.1f}"
            print(f"{name:>18} {size:8d} {num_without:8d} {method:>16} {figures}", flush=True)
    return right


def judge(problem: RelayingProblem, optimum: float, method: str, tally: Tally) -> None:
    """Compare a method's plan, bound and verdict with the optimum, ``inf`` where there is no plan."""
    begun_s = time.process_time()
    result = solve(problem, method=method, options=Options(time_limit_s=TIME_LIMIT_S, threads=1))
    tally.cpu_s += time.process_time() - begun_s
    slack = TOLERANCE * abs(optimum) if math.isfinite(optimum) else 0.0
    above = result.bound > optimum + 1e-9 * abs(optimum) if math.isfinite(optimum) else False
    below = result.objective < optimum - slack
    proven = result.status.name in ("OPTIMAL", "INFEASIBLE")
    differs = result.objective != optimum and abs(result.objective - optimum) > slack
    tally.num_wrong += above or below or (proven and differs)
    tally.num_proven += proven and not differs
    tally.num_open += not proven
    if math.isfinite(optimum) and math.isfinite(result.objective) and optimum > 0:
        tally.worst = max(tally.worst, result.objective / optimum - 1.0)
