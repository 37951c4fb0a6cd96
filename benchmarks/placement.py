"""Time the placement methods on generated networks and on instances with known optima.

    python benchmarks/placement.py                            small sizes, under a minute
    python benchmarks/placement.py --orlib FOLDER             OR-Library files gap*.txt and cap*.txt
    python benchmarks/placement.py --sizes 1000,50,30 --method via_highs --gap 0.01 --time-limit 60
    python benchmarks/placement.py --scale --seeds 3          40 to 100,000 devices; growth

Each line gives the cost found, the bound proven, the gap between them and the wall seconds.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from solvers.common import Options, Result
from solvers.placement import METHODS, PlacementProblem, PlacementSolution, solve
from solvers.placement.arrangement import arrange
from solvers.placement.ascent import ascend, first_multipliers
from solvers.placement.by_lagrangian import compile_loops
from solvers.placement.choices import choices_of
from solvers.placement.local_search import Search
from solvers.placement.reduce import reduction_by_limits

DEMANDS_PER_DEVICE = 3
CANDIDATES_PER_DEMAND = 6
DEFAULT_SIZES = ["40,10,12", "200,20,20"]


def network(
    num_devices: int, num_edges: int, num_items: int, seed: int, *, room: float = 1.0
) -> PlacementProblem:
    """Return demands of devices that they can serve themselves, or one of a few edge servers, or the cloud.

    Nodes are the devices, then the edge servers, then one cloud without limits.  Popular items are asked for
    more often (Zipf), devices and edge servers have the memory of a few items, edge servers bear a share of
    the work of the devices around.

    Parameters
    ----------
    num_devices, num_edges, num_items : int
        The size; three demands per device, six candidates each.
    seed : int
        Same seed, same problem.
    room : float
        Factor of the capacities of edge servers; at 1 they bear about half of all work, and each is full.
    """
    rng = np.random.default_rng(seed)
    num_demands = DEMANDS_PER_DEVICE * num_devices
    device = np.repeat(np.arange(num_devices), DEMANDS_PER_DEVICE)
    popularity = 1.0 / np.arange(1, num_items + 1)
    item = rng.choice(num_items, size=num_demands, p=popularity / popularity.sum())
    item_memory = rng.uniform(5e6, 50e6, num_items)
    work = rng.uniform(0.5, 1.5, num_demands)
    device_at, edge_at = rng.random((num_devices, 2)), rng.random((num_edges, 2))
    num_near = min(CANDIDATES_PER_DEMAND - 2, num_edges)
    distance, near = cKDTree(edge_at).query(device_at, k=range(1, num_near + 1))
    cloud = num_devices + num_edges
    candidates = np.column_stack([device, num_devices + near[device], np.full(num_demands, cloud)])
    far = distance[device]
    upload = rng.uniform(0.8, 1.2, num_demands)
    cost = np.column_stack([2.0 * work, 0.5 * work[:, None] + 6.0 * far * upload[:, None], 3.0 + upload])
    width = candidates.shape[1]
    node = candidates.ravel()
    key = np.unique(np.repeat(item, width) * (cloud + 1) + node)
    host_item, host_node = key // (cloud + 1), key % (cloud + 1)
    host_rate = np.where(host_node < num_devices, 0.3, np.where(host_node < cloud, 2.0, 5.0))
    per_edge = num_demands / max(num_edges, 1)
    memory = np.concatenate(
        [rng.uniform(40e6, 90e6, num_devices), rng.uniform(0.2, 0.5, num_edges) * item_memory.sum(), [np.inf]]
    )
    capacity = np.concatenate(
        [np.full(num_devices, 3.0), room * rng.uniform(0.3, 0.8, num_edges) * per_edge, [np.inf]]
    )
    return PlacementProblem(
        demand_item=item,
        pair_demand=np.repeat(np.arange(num_demands), width),
        pair_node=node,
        pair_cost=cost.ravel(),
        pair_work=np.repeat(work, width),
        host_item=host_item,
        host_node=host_node,
        host_cost=host_rate * item_memory[host_item] / 25e6,
        item_memory=item_memory,
        node_memory=memory,
        node_capacity=capacity,
    )


def association(num_devices: int, num_hosts: int, seed: int) -> PlacementProblem:
    """Return the choice of an edge host for each device, of which every host is a candidate.

    Parameters
    ----------
    num_devices, num_hosts : int
        The size.  A device's cost is its distance, its work 0.5 to 1.5; a host that serves any costs as much
        as some 20 devices, and bears twice its share of all work on average.
    seed : int
        Same seed, same problem.
    """
    rng = np.random.default_rng(seed)
    device_at, host_at = rng.random((num_devices, 2)), rng.random((num_hosts, 2))
    cost = np.linalg.norm(device_at[:, None, :] - host_at[None, :, :], axis=2)
    work = np.repeat(rng.uniform(0.5, 1.5, num_devices)[:, None], num_hosts, axis=1)
    capacity = rng.uniform(1.0, 3.0, num_hosts) * num_devices / num_hosts
    host_cost = rng.uniform(0.5, 1.5, num_hosts) * 20 * cost.min(axis=1).mean()
    return _one_item(cost, work, host_cost, capacity, split=False)


def read_gap(path: Path) -> list[PlacementProblem]:
    """Return the generalised assignment problems of an OR-Library file; their profits become negative costs.

    Parameters
    ----------
    path : Path
        A file: number of problems; for each, agents and jobs, profits, works (agents x jobs), capacities.
    """
    numbers = np.array(path.read_text().split(), dtype=np.float64)
    place, problems = 1, []
    for _ in range(int(numbers[0])):
        agents, jobs = (int(value) for value in numbers[place : place + 2])
        place += 2
        profit = numbers[place : place + agents * jobs].reshape(agents, jobs)
        work = numbers[place + agents * jobs : place + 2 * agents * jobs].reshape(agents, jobs)
        place += 2 * agents * jobs
        capacity = numbers[place : place + agents]
        place += agents
        problems.append(_one_item(-profit.T, work.T, np.zeros(agents), capacity, split=False))
    return problems


def read_cap(path: Path, *, split: bool) -> PlacementProblem:
    """Return a capacitated facility location problem of the OR-Library.

    Parameters
    ----------
    path : Path
        A file: warehouses and customers; capacity and fixed cost of each warehouse; for each customer its
        demand and the cost of serving all of it from each warehouse.
    split : bool
        Whether customers may be served by several warehouses.
    """
    numbers = np.array(path.read_text().split(), dtype=np.float64)
    warehouses, customers = int(numbers[0]), int(numbers[1])
    sites = numbers[2 : 2 + 2 * warehouses].reshape(warehouses, 2)
    table = numbers[2 + 2 * warehouses :].reshape(customers, 1 + warehouses)
    work = np.repeat(table[:, :1], warehouses, axis=1)
    return _one_item(table[:, 1:], work, sites[:, 1], sites[:, 0], split=split)


def _one_item(
    cost: npt.NDArray[np.float64],
    work: npt.NDArray[np.float64],
    host_cost: npt.NDArray[np.float64],
    capacity: npt.NDArray[np.float64],
    *,
    split: bool,
) -> PlacementProblem:
    num_demands, num_nodes = cost.shape
    return PlacementProblem(
        demand_item=np.zeros(num_demands, dtype=np.int64),
        pair_demand=np.repeat(np.arange(num_demands), num_nodes),
        pair_node=np.tile(np.arange(num_nodes), num_demands),
        pair_cost=cost.ravel(),
        pair_work=work.ravel(),
        host_item=np.zeros(num_nodes, dtype=np.int64),
        host_node=np.arange(num_nodes),
        host_cost=host_cost,
        item_memory=[0.0],
        node_memory=np.inf,
        node_capacity=capacity,
        split=split,
    )


def gap_optima(path: Path) -> dict[str, list[float]]:
    """Return the published optima of gap1 to gap12 by name; the file sorts names as text: gap1, gap10, ..."""
    lines = (line.split() for line in path.read_text().splitlines())
    rows = [[float(value) for value in line] for line in lines if line]
    return dict(zip(sorted(f"gap{number}" for number in range(1, 13)), rows, strict=True))


def cap_optima(path: Path) -> dict[str, float]:
    """Return the published optima of the cap files, which allow split demand, by name."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: float(row[1]) for row in rows if len(row) == 2 and row[0].startswith("cap")}


def show(name: str, result: Result[PlacementSolution], best: float | None = None) -> None:
    """Print one line."""
    known = "" if best is None else f"  published {best:>14.3f}"
    print(
        f"{name:<24} {result.method:<14} {result.status:<10} cost {result.objective:>14.4f}  "
        f"bound {result.bound:>14.4f}  gap {result.gap:8.2e}  {result.seconds:7.2f} s{known}",
        flush=True,
    )


def run_orlib(folder: Path, method: str, options: Options) -> None:
    """Solve every OR-Library file found below a folder."""
    for path in sorted(folder.rglob("gap*.txt")):
        optima = gap_optima(next(folder.rglob("opt_gap_*.txt")))[path.stem]
        for number, problem in enumerate(read_gap(path)):
            show(f"{path.stem}-{number + 1}", solve(problem, method, options), -optima[number])
    for path in sorted(folder.rglob("cap[0-9]*.txt")):
        best = cap_optima(next(folder.rglob("capopt.txt")))[path.stem]
        show(f"{path.stem} single source", solve(read_cap(path, split=False), method, options), best)
        if method != "via_cp_sat":
            show(f"{path.stem} split", solve(read_cap(path, split=True), method, options), best)


SCALE = (
    ("10000,100", "by_lagrangian", 1e-3, 15.0),
    ("40,10,12", "via_highs", 1e-3, 30.0),
    ("200,20,20", "by_lagrangian", 1e-3, 30.0),
    ("1000,50,30", "by_lagrangian", 5e-3, 10.0),
    ("10000,200,30", "by_lagrangian", 1e-2, 15.0),
    ("100000,2000,30", "by_lagrangian", 1e-2, 90.0),
)
"""Sizes (devices, edges, items; or devices and hosts, any for each), methods, gaps asked, and seconds."""


def run_scale(seeds: int, room: float) -> None:
    """Solve networks of growing size; the search ends at the gap asked or at the end of its time."""
    compile_loops()
    print(
        f"{'size':<24} {'method':<14} {'asked':>9} {'gap':>9} {'seconds':>8} {'bound at':>9} {'MB more':>8}"
    )
    for size, method, asked, limit_s in SCALE:
        numbers = [int(part) for part in size.split(",")]
        for seed in range(seeds):
            problem = association(*numbers, seed) if len(numbers) == 2 else network(*numbers, seed, room=room)
            told = []
            options = Options(gap=asked, time_limit_s=limit_s, observer=told.append)
            before_mb = peak_mb()
            result = solve(problem, method, options)
            bounding_s = min(p.seconds for p in told if p.bound >= told[-1].bound)
            print(
                f"{size + f' seed {seed}':<24} {method:<14} {options.gap:9.4f} {result.gap:9.4%} "
                f"{result.seconds:8.1f} {bounding_s:9.1f} {peak_mb() - before_mb:8.0f}",
                flush=True,
            )


def run_growth() -> None:
    """Time the same steps of the ascent, and draws of a demand, at 10,000 and at 100,000 devices."""
    seconds = {}
    for devices, edges in ((10_000, 200), (100_000, 2_000)):
        problem = network(devices, edges, 30, seed=0)
        compile_loops()
        begun = time.process_time()
        at = arrange(problem, reduction_by_limits(problem))
        point = ascend(
            at, first_multipliers(at), upper=np.inf, gap=0.0, until=np.inf, most_steps=100, paces=(0.1, 1e-3)
        )
        bounded = time.process_time()
        Search(at, choices_of(at), point.price, np.random.default_rng(0)).anneal(
            point.served, None, 100 * problem.num_demands, np.inf
        )
        seconds[devices] = np.array([bounded - begun, time.process_time() - bounded])
        print(
            f"{devices} devices: 100 steps {seconds[devices][0]:.1f} s, "
            f"100 draws a demand {seconds[devices][1]:.1f} s"
        )
    exponents = np.log10(seconds[100_000] / seconds[10_000])
    print(f"exponents of growth: ascent {exponents[0]:.2f}, annealing {exponents[1]:.2f}")


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", nargs="*", default=["40,10,12", "200,20,20"], metavar="DEVICES,EDGES,ITEMS"
    )
    parser.add_argument("--method", default="", choices=["", "auto", *sorted(METHODS)])
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--time-limit", type=float, default=7.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--orlib", type=Path)
    parser.add_argument("--scale", action="store_true", help="from 40 to 100,000 devices; several minutes")
    parser.add_argument("--room", type=float, default=1.0, help="factor of the edge servers' capacities")
    chosen = parser.parse_args()
    options = Options(gap=chosen.gap, time_limit_s=chosen.time_limit)
    if chosen.scale:
        run_scale(chosen.seeds, chosen.room)
        run_growth()
        return
    if chosen.orlib:
        run_orlib(chosen.orlib, chosen.method or "auto", options)
        return
    for size in chosen.sizes:
        devices, edges, items = (int(part) for part in size.split(","))
        for seed in range(chosen.seeds):
            problem = network(devices, edges, items, seed, room=chosen.room)
            for method in [chosen.method] if chosen.method else [*sorted(METHODS)]:
                show(f"{size} seed {seed}", solve(problem, method, options))


if __name__ == "__main__":
    main()
