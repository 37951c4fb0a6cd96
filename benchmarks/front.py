"""The whole front of latency and energy of the published network, and deciding all at once beside it.

    python -m benchmarks.front                         about a minute on two cores
    python -m benchmarks.front --picture FILE.svg     also draws the front of E = 8

For each row (how nodes receive, the aggregator's uplink) and period: how many non-dominated plans there are
at nominal resources, how many of them are best at some prices, the processor time to find them all, both
ends, and the least energy of a plan that decides trees, powers and bandwidth together, within the latency of
each end; and how long merging 10,000 random clusters takes.  The energy of period 200 leaves out the cloud
legs, as edge only does in the published table.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.clusters import CLOUD_S, CLOUD_W, PAPER, ROWS, paper_clusters
from hfedfm_opt import read_instance
from hfedfm_opt.planning.front import FrontOptions, PlanFront, Uplinks, plan_front
from hfedfm_opt.planning.merge_fronts import merge_fronts
from hfedfm_opt.study.beside_front import beside_front
from hfedfm_opt.study.front_picture import Curve, front_picture
from hfedfm_opt.system.instance import Instance
from solvers.clusters import ClusterProblem, solve, solve_within

CHOICES = {
    "parallel": ("full", Uplinks.NOMINAL),
    "series": ("half", Uplinks.NOMINAL),
    "4 MHz uplink": ("full", Uplinks.WHOLE_BAND),
}
"""Duplex and uplinks of each row of the clusters' benchmark."""
DRAWN_PERIOD = 8


def front_of(instance: Instance, row: str, period: int) -> PlanFront:
    duplex, uplinks = CHOICES[row]
    return plan_front(instance, FrontOptions(period=period, duplex=duplex, uplinks=uplinks))


def together(row: str, period: int, latencies_s: Sequence[float]) -> list[tuple[float, float]]:
    """Return joules and a proven lower bound on them within each latency, all decided at once."""
    problem = ClusterProblem(**paper_clusters(period, **ROWS[row]), time_weight=1.0)
    found = []
    for latency_s in latencies_s:
        within = solve_within(problem, np.full(10, latency_s))
        assert within.solution is not None, f"there is a plan within {latency_s} s"
        found.append((float(np.sum(within.objective)), float(np.sum(within.bound))))
    return found


def print_fronts(instance: Instance) -> None:
    print("published network, a round: the whole front at nominal resources, and all decided together")
    print(f"{'row':>13} {'E':>4} {'plans':>6} {'hull':>5} {'cpu s':>6}", end=" ")
    print(f"{'end':>8} {'s':>7} {'J':>7} {'together J':>11} {'at least':>9}")
    for row in CHOICES:
        for period in (2, 8, 200):
            begin = time.process_time()
            front = front_of(instance, row, period)
            spent_s = time.process_time() - begin
            uncounted_j = 10 * CLOUD_S * CLOUD_W / period if period == 200 else 0.0
            joint = together(row, period, front.latency_s[[0, -1]].tolist())
            for end, point, (joules, at_least_j) in zip(("fastest", "frugal"), (0, -1), joint, strict=True):
                counts = f"{len(front):6d} {len(front.supported()):5d} {spent_s:6.2f}"
                own = f"{front.latency_s[point]:7.3f} {front.energy_j[point] - uncounted_j:7.2f}"
                figures = f"{counts} {end:>8} {own} {joules:11.3f} {at_least_j:9.3f}"
                print(f"{row:>13} {period:4d} {figures}", flush=True)


def time_merging(num_clusters: int = 10_000, num_options: int = 100) -> None:
    """Merge random clusters: energies fall about as one over the seconds."""
    generator = np.random.default_rng(0)
    cluster = np.repeat(np.arange(num_clusters), num_options)
    seconds = generator.random(cluster.size)
    joules = 1.0 / seconds * generator.uniform(1.0, 1.3, cluster.size)
    begin = time.process_time()
    front = merge_fronts(cluster, seconds, joules, num_clusters)
    spent_s = time.process_time() - begin
    num_steps = sum(len(own) for own in front.steps)
    merged = f"{num_clusters} clusters with {num_steps} steps: {len(front)} points"
    print(f"\n{merged}, {spent_s:.2f} s of processor time")


def draw(instance: Instance, path: Path) -> None:
    front = front_of(instance, "parallel", DRAWN_PERIOD)
    fastest = solve(
        ClusterProblem(
            **(paper_clusters(DRAWN_PERIOD, **ROWS["parallel"]) | {"energy_weight": 0.0}), time_weight=1.0
        )
    )
    beside = beside_front(front)
    last_s = max(other.latency_s for other in beside if other.planner != "star")
    latencies_s = np.geomspace(1.0001 * float(np.max(fastest.objective)), last_s, 25).tolist()
    joint = together("parallel", DRAWN_PERIOD, latencies_s)
    curve = Curve("trees, powers and bandwidth together", latencies_s, [joules for joules, _ in joint])
    path.write_text(front_picture(front, beside, [curve]), encoding="utf-8")
    worst = max(1 - at_least_j / joules for joules, at_least_j in joint)
    print(f"\n{path}: {len(front)} plans; 25 points of the curve, proven to {worst:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--picture", type=Path, help="SVG file to draw")
    arguments = parser.parse_args()
    instance = read_instance(PAPER)
    print_fronts(instance)
    time_merging()
    if arguments.picture:
        draw(instance, arguments.picture)


if __name__ == "__main__":
    main()
