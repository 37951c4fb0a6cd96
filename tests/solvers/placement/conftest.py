"""Brute force, random problems and the OR-Library reader of the benchmark, for the tests of placement."""

import importlib.util
import itertools
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from solvers.placement import PlacementProblem

ROOT = Path(__file__).resolve().parents[3]
ORLIB = ROOT.parent / "shared" / "data" / "orlib"


@pytest.fixture(scope="session")
def benchmark_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("placement_benchmark", ROOT / "benchmarks" / "placement.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def orlib() -> Path:
    if not ORLIB.is_dir():
        pytest.skip(f"the OR-Library files are not in {ORLIB}")
    return ORLIB


def brute_force(problem: PlacementProblem) -> float:
    """Least cost over all choices of pairs, by Python floats alone; inf when none fits."""
    candidates = [np.flatnonzero(problem.pair_demand == d).tolist() for d in range(problem.num_demands)]
    best = math.inf
    for choice in itertools.product(*candidates):
        hosts = {int(problem.pair_host[pair]) for pair in choice}
        memory, work = [0.0] * problem.num_nodes, [0.0] * problem.num_nodes
        for host in hosts:
            memory[problem.host_node[host]] += problem.item_memory[problem.host_item[host]]
        for pair in choice:
            work[problem.pair_node[pair]] += problem.pair_work[pair]
        if any(m > limit * (1 + 1e-9) for m, limit in zip(memory, problem.node_memory, strict=True)):
            continue
        if any(w > limit * (1 + 1e-9) for w, limit in zip(work, problem.node_capacity, strict=True)):
            continue
        costs = [problem.pair_cost[pair] for pair in choice] + [problem.host_cost[host] for host in hosts]
        best = min(best, math.fsum(costs))
    return best


def random_problem(seed: int, kind: str = "plain", *, split: bool = False) -> PlacementProblem:
    """A problem small enough for brute force; ``kind`` chooses a degenerate family."""
    rng = np.random.default_rng([seed, sum(map(ord, kind))])
    num_nodes = 1 if kind == "one node" else int(rng.integers(2, 5))
    num_items, num_demands = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    item = rng.integers(num_items, size=num_demands)
    degree = rng.integers(1, num_nodes + 1, size=num_demands)
    pair_node = np.concatenate([rng.permutation(num_nodes)[:count] for count in degree])
    num_pairs = pair_node.size
    hosts = [(i, n) for i in range(num_items) for n in range(num_nodes)]
    host_item, host_node = np.array(hosts)[rng.permutation(len(hosts))].T
    cost, work = rng.uniform(0, 10, num_pairs), rng.uniform(0, 3, num_pairs)
    host_cost, memory = rng.uniform(0, 8, len(hosts)), rng.uniform(0, 5, num_items)
    limits = rng.uniform(2, 10, num_nodes), rng.uniform(2, 8, num_nodes)
    if kind == "whole numbers":
        cost, work, host_cost, memory = (np.floor(values) for values in (cost - 3, work, host_cost, memory))
        limits = np.floor(limits[0]), np.floor(limits[1])
    elif kind == "no memory":
        limits = np.zeros(num_nodes), limits[1]
        memory *= rng.integers(0, 2, num_items)
    elif kind == "equal costs":
        cost, host_cost = np.full(num_pairs, 1.5), np.full(len(hosts), 0.7)
    elif kind == "no work":
        work = np.zeros(num_pairs)
        limits = limits[0], np.zeros(num_nodes)
    elif kind == "huge spread":
        cost, host_cost = 10.0 ** rng.uniform(-9, 9, num_pairs), 10.0 ** rng.uniform(-9, 9, len(hosts))
        work = 10.0 ** rng.uniform(-6, 6, num_pairs)
        limits = limits[0], 10.0 ** rng.uniform(2, 7, num_nodes)
    elif kind == "tiny units":
        cost, host_cost = cost * 1e-12, host_cost * 1e-12
        memory, limits = memory * 1e9, (limits[0] * 1e9, limits[1])
    return PlacementProblem(
        demand_item=item,
        pair_demand=np.repeat(np.arange(num_demands), degree),
        pair_node=pair_node,
        pair_cost=cost,
        pair_work=work,
        host_item=host_item,
        host_node=host_node,
        host_cost=host_cost,
        item_memory=memory,
        node_memory=np.where(rng.random(num_nodes) < 0.2, np.inf, limits[0]),
        node_capacity=np.where(rng.random(num_nodes) < 0.2, np.inf, limits[1]),
        split=split,
    )


@pytest.fixture(scope="session")
def brute():
    return brute_force


@pytest.fixture(scope="session")
def make_problem():
    return random_problem
