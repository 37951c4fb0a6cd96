"""What workers gain the planner: ``python -m benchmarks.workers [--jobs 1,2] [--trees N] [--searched N]``.

Trees of clusters of 7 devices with all links, half duplex, are priced; clusters of 9 are searched with bands
and powers decided.  Printed are wall seconds, the processor time of the planner's own process, and that of
all processes, which has what it takes to begin them.
"""

import argparse
import math
import resource
import time
from collections.abc import Callable

import numpy as np

from hfedfm_opt.planning.joint_curves import JointCurves
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.tree_prices import TreePrices
from hfedfm_opt.planning.workers import Workers, hired
from solvers.clusters import ClusterProblem
from solvers.relaying import RelayingProblem

PRICED, SEARCHED = 7, 9
"""Devices of a cluster."""


def cluster_for_trees(rng: np.random.Generator) -> RelayingProblem:
    source, target = np.nonzero(~np.eye(PRICED, dtype=bool))
    return RelayingProblem(
        num_nodes=PRICED,
        link_source=source,
        link_target=target,
        link_rate_bps=rng.uniform(1e6, 1e7, source.size),
        link_power_w=rng.uniform(0.1, 1.0, source.size),
        item_bits=np.array([1e6, 1e5]),
        node_item_start=2 * np.arange(PRICED + 1),
        node_item=np.tile([0, 1], PRICED),
        ready_s=rng.uniform(1.0, 2.0, PRICED),
        half_duplex=True,
        num_root_legs=1.0,
        own_leg_tree=True,
    )


def cluster_for_search(rng: np.random.Generator) -> JointCluster:
    problem = ClusterProblem(
        gain=10 ** rng.uniform(-11, -7, (SEARCHED, SEARCHED)),
        noise_w_per_hz=4e-21,
        band_hz=2e7,
        item_bits=3.2e6,
        max_power_w=0.2,
        energy_weight=1.0,
        time_weight=1.0,
    )
    return JointCluster(problem, problem, {}, frozenset())


def processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(name: str, jobs: int, work: Callable[[Workers], object]) -> None:
    all_s, own_s, wall_s = processor_s(), time.process_time(), time.perf_counter()
    with hired(jobs, "processes") as workers:
        work(workers)
    wall_s, own_s = time.perf_counter() - wall_s, time.process_time() - own_s
    print(f"{name:24s} {jobs:4d} {wall_s:8.1f} {own_s:11.1f} {processor_s() - all_s:11.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="1,2")
    parser.add_argument("--trees", type=int, default=32)
    parser.add_argument("--searched", type=int, default=4)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    trees = [cluster_for_trees(rng) for _ in range(asked.trees)]
    searched = {number: cluster_for_search(rng) for number in range(asked.searched)}
    TreePrices().fronts_of(trees[:1])  # tables are made and loops compiled before anything is measured
    JointCurves({0: searched[0]}, 1.0, 1e-6)
    print(f"{'':24s} jobs   wall, s  own CPU, s  all CPU, s")
    for jobs in map(int, asked.jobs.split(",")):
        measure(f"{asked.trees} x all trees of 7", jobs, lambda workers: TreePrices(workers).fronts_of(trees))
        measure(
            f"{asked.searched} x 9 searched",
            jobs,
            lambda workers: JointCurves(searched, 1.0, 1e-6, math.inf, workers),
        )


if __name__ == "__main__":
    main()
