"""How fast relaying is solved, and how far the baselines are from the optimum.

    python -m benchmarks.relaying            under a minute on two cores
    python -m benchmarks.relaying --clusters 10000 --sizes 10 15 20 --time-limit 30
    python -m benchmarks.relaying --large    under five minutes
    python -m benchmarks.relaying --agreement 500    exact methods against all trees, some minutes

Nodes are uniform in a square of 200 m; a link has 8 MHz, path loss exponent 3 and Rayleigh fading each way;
every node sends one update of 48 Mbit, and the merged update travels back.
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.relaying_agreement import agree
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


def show(label: str, num_nodes: int, problem: RelayingProblem, method: str, options: Options) -> float:
    begun_s = time.process_time()
    result = solve(problem, method=method, options=options)
    took = f"{result.seconds:8.2f} {time.process_time() - begun_s:8.2f}"
    figures = f"{result.status:>9} {result.gap:9.1e} {took} {result.objective:13.6f}"
    print(f"{num_nodes:6d} {label:>22} {method:>16} {figures}", flush=True)
    return result.objective


def head(title: str) -> None:
    print(f"\n{title}")
    columns = f"{'status':>9} {'gap':>9} {'seconds':>8} {'CPU s':>8} {'objective':>13}"
    print(f"{'nodes':>6} {'cluster':>22} {'method':>16} {columns}")


def prove_larger(sizes: list[int], time_limit_s: float) -> None:
    head(f"proofs, round trips at any root, at most {time_limit_s:g} s")
    for num_nodes in sizes:
        for half_duplex in (False, True):
            problem = draw_cluster(np.random.default_rng(num_nodes), num_nodes, half_duplex=half_duplex)
            label = "half duplex" if half_duplex else "full duplex"
            for method in ("branch_and_bound", "cp_sat"):
                show(label, num_nodes, problem, method, Options(time_limit_s=time_limit_s))


def prove_weighted(num_nodes: int, num_clusters: int, time_limit_s: float) -> None:
    head(f"weighted gathers of one root in full duplex, to a gap of 1e-4, at most {time_limit_s:g} s")
    for seed in range(num_clusters):
        problem = draw_cluster(np.random.default_rng(seed), num_nodes, half_duplex=False)
        gather = replace(problem, roots=np.array([0]), num_round_trips=0.0, num_root_legs=1.0)
        options = Options(time_limit_s=time_limit_s, gap=1e-4)
        show(f"seed {seed}", num_nodes, gather, "branch_and_bound", options)


def certify_half_duplex(num_nodes: int, time_limit_s: float) -> None:
    head(f"half duplex, round trips, at most {time_limit_s:g} s")
    problem = draw_cluster(np.random.default_rng(num_nodes), num_nodes, half_duplex=True)
    options = Options(time_limit_s=time_limit_s)
    show("root 0", num_nodes, replace(problem, roots=np.array([0])), "branch_and_bound", options)
    show("any root", num_nodes, problem, "branch_and_bound", options)


def draw_wide(rng: np.random.Generator, num_nodes: int, *, half_duplex: bool) -> RelayingProblem:
    """Draw nodes as dense as 100 in the square of 200 m, each with links to and from the 20 nearest."""
    place_m = 20.0 * np.sqrt(num_nodes) * rng.random((num_nodes, 2))
    near = cKDTree(place_m).query(place_m, 21)[1][:, 1:].ravel()
    node = np.repeat(np.arange(num_nodes), 20)
    pair = np.unique(np.concatenate([node * num_nodes + near, near * num_nodes + node]))
    source, target = pair // num_nodes, pair % num_nodes
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
        roots=[0],
    )


def search_wide(sizes: list[int], limits_s: list[float]) -> None:
    head("wide clusters, 20 links a node or more, round trips of root 0")
    for num_nodes in sizes:
        for half_duplex in (False, True):
            problem = draw_wide(np.random.default_rng(0), num_nodes, half_duplex=half_duplex)
            for limit_s in limits_s:
                label = f"{'half' if half_duplex else 'full'}, {limit_s:g} s"
                show(label, num_nodes, problem, "local_search", Options(time_limit_s=limit_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clusters", type=int, default=30, help="clusters of each small size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 10, 12], help="nodes for proofs")
    parser.add_argument("--time-limit", type=float, default=4.0, help="seconds for each proof")
    parser.add_argument("--large", action="store_true", help="proofs at 25 and 100 nodes, searches to 10,000")
    parser.add_argument("--agreement", type=int, help="clusters to 7 nodes, each variant, against all trees")
    arguments = parser.parse_args()
    warm = draw_cluster(np.random.default_rng(0), 9, half_duplex=False)
    solve(warm, method="branch_and_bound")  # compiles
    if arguments.agreement:
        sys.exit(not agree(arguments.agreement))
    if arguments.large:
        prove_weighted(25, 10, 10.0)
        certify_half_duplex(100, 30.0)
        search_wide([1000], [2.0, 30.0])
        search_wide([10_000], [20.0])
        return
    time_fronts(arguments.clusters)
    compare_baselines(min(arguments.clusters, 100))
    prove_larger(arguments.sizes, arguments.time_limit)


if __name__ == "__main__":
    main()
