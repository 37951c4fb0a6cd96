"""How fast relaying is solved, and how far the baselines are from the optimum.

    python benchmarks/relaying.py            under a minute on two cores
    python benchmarks/relaying.py --clusters 10000 --sizes 10 15 20 --time-limit 30

Nodes are uniform in a square of 200 m; a link has 8 MHz, path loss exponent 3 and Rayleigh fading each way;
every node sends one update of 48 Mbit, and the merged update travels back.
"""

import argparse
import time

import numpy as np

from solvers.common import Options
from solvers.relaying import RelayingProblem, pareto_front, solve

BASELINES = ("star", "minimum_spanning_tree", "shortest_paths", "minimum_arborescence")


def draw_cluster(rng: np.random.Generator, num_nodes: int, *, half_duplex: bool) -> RelayingProblem:
    place_m = 200.0 * rng.random((num_nodes, 2))
    source, target = np.nonzero(~np.eye(num_nodes, dtype=bool))
    distance_m = 1.0 + np.hypot(*(place_m[source] - place_m[target]).T)
    snr = 1e7 * distance_m**-3.0 * rng.exponential(size=source.size)
    return RelayingProblem(
        num_nodes=num_nodes,
        link_source=source,
        link_target=target,
        link_rate_bps=1e5 + 8e6 * np.log2(1 + snr),
        link_power_w=0.6,
        item_bits=[48e6],
        node_item_start=range(num_nodes + 1),
        node_item=[0] * num_nodes,
        half_duplex=half_duplex,
    )


def time_fronts(num_clusters: int) -> None:
    print(f"fronts of {num_clusters} clusters, one process")
    print(f"{'nodes':>6} {'duplex':>7} {'ms each':>8} {'points':>7}")
    for num_nodes in (4, 5, 6, 7):
        for half_duplex in (False, True):
            rng = np.random.default_rng(num_nodes)
            problems = [draw_cluster(rng, num_nodes, half_duplex=half_duplex) for _ in range(num_clusters)]
            pareto_front(problems[0])  # builds the table of trees
            begin = time.perf_counter()
            num_points = sum(len(pareto_front(problem)) for problem in problems)
            each_ms = 1e3 * (time.perf_counter() - begin) / num_clusters
            duplex = "half" if half_duplex else "full"
            print(f"{num_nodes:6d} {duplex:>7} {each_ms:8.2f} {num_points / num_clusters:7.1f}", flush=True)


def compare_baselines(num_clusters: int) -> None:
    print("\nmean objective over the optimum, clusters of 6")
    print(f"{'duplex':>7} " + " ".join(f"{name:>22}" for name in BASELINES))
    for half_duplex in (False, True):
        rng = np.random.default_rng(6)
        problems = [draw_cluster(rng, 6, half_duplex=half_duplex) for _ in range(num_clusters)]
        best = np.array([solve(problem, method="enumeration").objective for problem in problems])
        ratios = [np.mean([solve(p, method=name).objective for p in problems] / best) for name in BASELINES]
        duplex = "half" if half_duplex else "full"
        print(f"{duplex:>7} " + " ".join(f"{ratio:22.3f}" for ratio in ratios), flush=True)


def prove_larger(sizes: list[int], time_limit_s: float) -> None:
    print(f"\nCP-SAT, any root, at most {time_limit_s:g} s")
    print(f"{'nodes':>6} {'duplex':>7} {'status':>9} {'gap':>9} {'seconds':>8} {'baseline/value':>15}")
    for num_nodes in sizes:
        for half_duplex in (False, True):
            problem = draw_cluster(np.random.default_rng(num_nodes), num_nodes, half_duplex=half_duplex)
            result = solve(problem, method="cp_sat", options=Options(time_limit_s=time_limit_s))
            ratio = solve(problem, method="best_baseline").objective / result.objective
            duplex = "half" if half_duplex else "full"
            figures = f"{result.status:>9} {result.gap:9.1e} {result.seconds:8.2f} {ratio:15.3f}"
            print(f"{num_nodes:6d} {duplex:>7} {figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clusters", type=int, default=30, help="clusters of each small size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 10, 12], help="nodes for CP-SAT")
    parser.add_argument("--time-limit", type=float, default=4.0, help="seconds for each CP-SAT run")
    arguments = parser.parse_args()
    time_fronts(arguments.clusters)
    compare_baselines(min(arguments.clusters, 100))
    prove_larger(arguments.sizes, arguments.time_limit)


if __name__ == "__main__":
    main()
