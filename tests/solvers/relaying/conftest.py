"""Random clusters over all variants of the problem."""

import numpy as np
import pytest

from solvers.relaying import RelayingProblem


def random_cluster(
    rng: np.random.Generator, num_nodes: int, density: float = 0.85, **fields
) -> RelayingProblem:
    """Draw a cluster; most choices of the problem are drawn too unless given in ``fields``."""
    source, target = np.nonzero(~np.eye(num_nodes, dtype=bool))
    kept = rng.random(source.size) < density
    source, target = source[kept], target[kept]
    num_items = int(rng.integers(1, 5))
    members = np.ones(num_nodes, dtype=bool)
    members[-1] = num_nodes == 1 or rng.random() < 0.7
    relays = ~members & (rng.random() < 0.5)
    has = (rng.random((num_nodes, num_items)) < 0.6) & members[:, None]
    energy_weight = float(rng.choice([0, 1, 2]))
    roots = np.arange(num_nodes) if rng.random() < 0.6 else rng.permutation(num_nodes)[:2]
    drawn = {
        "num_nodes": num_nodes,
        "link_source": source,
        "link_target": target,
        "link_rate_bps": rng.uniform(1e6, 1e7, source.size),
        "link_power_w": rng.uniform(0.1, 1.0, source.size),
        "link_delay_s": rng.choice([0.0, 0.1]) * rng.random(source.size),
        "item_bits": rng.uniform(1e5, 1e6, num_items),
        "node_item_start": np.concatenate([[0], np.cumsum(has.sum(axis=1))]),
        "node_item": np.nonzero(has)[1],
        "ready_s": rng.choice([0.0, 0.3]) * rng.random(num_nodes),
        "members": members,
        "relays": relays,
        "roots": roots,
        "half_duplex": rng.random(num_nodes) < rng.choice([0.0, 0.5, 1.0]),
        "max_root_children": None if rng.random() < 0.7 else int(rng.integers(1, 3)),
        "max_hops": None if rng.random() < 0.7 else int(rng.integers(1, 4)),
        "energy_weight": energy_weight,
        "time_weight": 1.0 if energy_weight == 0 else float(rng.choice([0, 1, 3])),
        "num_round_trips": float(rng.choice([0, 1, 2.5])),
        "num_root_legs": float(rng.choice([0.5, 1])),
        "own_leg_tree": bool(rng.random() < 0.5),
        "root_seconds": 0.2 * rng.random(num_nodes),
        "root_joules": 0.2 * rng.random(num_nodes),
    }
    if rng.random() < 0.3:
        drawn |= {
            "broadcast_power_w": rng.uniform(0.1, 1.0, num_nodes),
            "receive_power_w": rng.choice([0.0, 0.2]) * rng.random(num_nodes),
        }
    if rng.random() < 0.3:
        kept = rng.random(source.size) < 0.9
        drawn |= {
            "return_link_source": target[kept],
            "return_link_target": source[kept],
            "return_link_rate_bps": rng.uniform(1e6, 1e7, kept.sum()),
            "return_link_power_w": 0.5,
        }
    if "members" in fields:
        drawn["relays"] = None
    return RelayingProblem(**(drawn | fields))


@pytest.fixture
def make_cluster():
    return random_cluster
