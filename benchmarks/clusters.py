"""How fast clusters are proven optimal, and what deciding all at once is worth on the published network.

    python benchmarks/clusters.py            about a minute on two cores
    python benchmarks/clusters.py --clusters 10000 --sizes 4 5 6 7 --large 8 10 12 30

Random clusters: nodes uniform in a square of 200 m, fading links, 48 Mbit over 8 MHz, CPUs of 0.5 to 2 GHz.
The published network is instances/paper-40.json; the rows are what the best trees at nominal power and
bandwidth take there (parallel receptions, receptions in series, the whole uplink band for the aggregator).
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from solvers.clusters import ClusterProblem, solve, solve_within

PAPER = Path(__file__).parents[1] / "instances" / "paper-40.json"
CLOUD_S, CLOUD_W = 12.1, 0.8
ROWS: dict[str, dict[str, Any]] = {
    "parallel": {"half_duplex": False, "leg_band_hz": 1e6},
    "series": {"half_duplex": True, "leg_band_hz": 1e6},
    "4 MHz uplink": {"half_duplex": False, "leg_band_hz": 4e6},
}
"""How nodes receive, and the aggregator's uplink."""
NOMINAL = {
    ("parallel", 2): (7.951, 63.44),
    ("parallel", 8): (2.626, 24.73),
    ("parallel", 200): (0.881, 11.83),
    ("series", 2): (8.332, 63.17),
    ("series", 8): (3.095, 24.29),
    ("series", 200): (1.459, 11.27),
    ("4 MHz uplink", 2): (7.062, 59.0),
    ("4 MHz uplink", 8): (2.359, 23.56),
    ("4 MHz uplink", 200): (0.872, 11.78),
}
"""Seconds and joules a round of the best trees at nominal resources, by row and period (200: edge only)."""


def draw(seed: int, num_clusters: int, num_nodes: int, **changes: Any) -> ClusterProblem:
    rng = np.random.default_rng(seed)
    place = 200 * rng.random((num_clusters, num_nodes, 2))
    distance = 1 + np.hypot(*(place[:, :, None] - place[:, None]).transpose(3, 0, 1, 2))
    nodes = (num_clusters, num_nodes)
    values = {
        "gain": 1e-3 * distance**-3.0 * rng.exponential(size=distance.shape),
        "noise_w_per_hz": 4e-20,
        "band_hz": 8e6,
        "item_bits": 48e6,
        "max_power_w": 0.2,
        "energy_weight": 1.0,
        "time_weight": 10.0 ** rng.uniform(-1.5, 1.5, num_clusters),
        "cycles": 10.0 ** rng.uniform(8.5, 9.7, nodes),
        "max_frequency_hz": 10.0 ** rng.uniform(8.7, 9.3, nodes),
        "capacitance": 1e-28,
        "num_round_trips": 0.0,
        "num_root_legs": 1.0,
    }
    return ClusterProblem(**(values | changes))


def time_batches(num_clusters: int, sizes: list[int]) -> None:
    print(f"{num_clusters} clusters in one call: wall s, ms of processor time each, worst proven gap")
    print(f"{'nodes':>5} {'duplex':>7} {'way back':>8} {'wall s':>8} {'ms each':>8} {'gap':>8}")
    for num_nodes in sizes:
        for half_duplex in (False, True):
            if half_duplex and num_nodes > 6:
                continue
            for trips in (0.0, 1.0):
                changes = {"half_duplex": half_duplex, "num_round_trips": trips, "num_root_legs": 1.0 - trips}
                solve(draw(0, 2, num_nodes, **changes))  # compiles, and builds the trees
                problem = draw(1, num_clusters, num_nodes, **changes)
                begin, spent = time.perf_counter(), time.process_time()
                result = solve(problem)
                wall_s, spent = time.perf_counter() - begin, time.process_time() - spent
                duplex, back = "half" if half_duplex else "full", "yes" if trips else "no"
                figures = f"{wall_s:8.2f} {1e3 * spent / num_clusters:8.3f} {np.max(result.gap):8.1e}"
                print(f"{num_nodes:5d} {duplex:>7} {back:>8} {figures}", flush=True)


def search_larger(sizes: list[int]) -> None:
    print("\nlarger clusters, local search: s each, mean proven gap (parallel, with a way back)")
    for num_nodes in sizes:
        solve(draw(0, 1, num_nodes, num_round_trips=0.5), method="local_search")
        problem = draw(1, 4, num_nodes, num_round_trips=0.5)
        begin = time.perf_counter()
        result = solve(problem, method="local_search")
        print(
            f"{num_nodes:5d} {(time.perf_counter() - begin) / 4:8.2f} {np.mean(result.gap):8.3f}", flush=True
        )


def paper_clusters(period: int, **changes: Any) -> dict[str, Any]:
    """Return the ten clusters of the published network; one cycle of ``period`` rounds counts as one."""
    instance = json.loads(PAPER.read_text())
    index = {
        node["id"]: number for number, node in enumerate(n for n in instance["nodes"] if n["id"][0] == "d")
    }
    gain, leg_gain = np.zeros((10, 4, 4)), np.zeros((10, 4))
    for link in instance["wireless_links"]:
        source, target = link["source"], link["target"]
        if target in index:
            gain[index[source] // 4, index[source] % 4, index[target] % 4] = link["gain"]
        elif source in index and target == f"s{index[source] // 4}":
            leg_gain[index[source] // 4, index[source] % 4] = link["gain"]
    noise = instance["bands"][0]["noise_w_per_hz"]
    edge_only = period == 200
    return {
        "gain": gain,
        "noise_w_per_hz": noise,
        "band_hz": 24e6,
        "item_bits": 48e6,
        "max_power_w": 0.6,
        "energy_weight": 1.0,
        "num_round_trips": (period - 1) / period,
        "num_root_legs": 1 / period,
        "leg_gain": leg_gain,
        "leg_noise_w_per_hz": noise,
        "leg_max_power_w": 0.6,
        "root_seconds": CLOUD_S,
        "root_joules": 0.0 if edge_only else CLOUD_W * CLOUD_S,
    } | changes


def gain_on_paper() -> None:
    print("\npublished network, a round: best trees at nominal resources, and everything decided together")
    columns = f"{'s':>7} {'J':>7} {'together s':>11} {'J':>8} {'J at least':>11} {'fastest s':>10}"
    print(f"{'row':>13} {'E':>4} {columns}")
    for (row, period), (latency_s, energy_j) in NOMINAL.items():
        values = paper_clusters(period, **ROWS[row])
        within = solve_within(ClusterProblem(**values, time_weight=1.0), np.full(10, latency_s))
        assert within.solution is not None
        seconds = float(within.solution.latency_s.max())
        joules, proven_j = float(np.sum(within.objective)), float(np.sum(within.bound))
        fastest = solve(ClusterProblem(**(values | {"energy_weight": 0.0}), time_weight=1.0))
        least_s = float(np.max(fastest.objective))
        figures = f"{seconds:11.3f} {joules:8.3f} {proven_j:11.3f} {least_s:10.3f}"
        print(f"{row:>13} {period:4d} {latency_s:7.3f} {energy_j:7.2f} {figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clusters", type=int, default=2000, help="clusters of each size in one call")
    parser.add_argument("--sizes", type=int, nargs="*", default=[4, 5, 6], help="nodes of a cluster")
    parser.add_argument("--large", type=int, nargs="*", default=[8, 10, 20], help="nodes for local search")
    arguments = parser.parse_args()
    time_batches(arguments.clusters, arguments.sizes)
    search_larger(arguments.large)
    gain_on_paper()


if __name__ == "__main__":
    main()
