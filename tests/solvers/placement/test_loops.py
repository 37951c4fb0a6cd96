"""The loops of the Lagrangian method: nodes against enumeration, bounds below optima, moves within limits."""

import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from solvers.placement.arrangement import arrange, with_tolerance
from solvers.placement.ascent import ascend, first_multipliers
from solvers.placement.choices import choices_of
from solvers.placement.evaluate import objective_value, solution_from_pairs, violations_of
from solvers.placement.local_search import Search
from solvers.placement.loops.node_search import best_choice
from solvers.placement.loops.relaxation import relax
from solvers.placement.reduce import demands_without, reduction_by_limits

KINDS = ["plain", "whole numbers", "one node", "no memory", "equal costs", "no work", "tiny units"]


def random_node(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, size=int(rng.integers(1, 5)))
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    worth, work = rng.normal(1.0, 2.0, start[-1]), rng.uniform(0.0, 2.0, start[-1])
    cost, seat_bytes = rng.uniform(0.0, 2.0, sizes.size), rng.uniform(0.0, 2.0, sizes.size)
    memory = np.inf if seed % 5 == 0 else rng.uniform(0.0, 4.0)
    capacity = np.inf if seed % 7 == 0 else rng.uniform(0.0, 5.0)
    return start, worth, work, cost, seat_bytes, float(memory), float(capacity)


def enumerated(start, worth, work, cost, seat_bytes, memory, capacity):
    """Return the most that any choice of slots within the limits is worth."""
    seat = np.repeat(np.arange(cost.size), np.diff(start))
    best = 0.0
    for chosen in itertools.product([False, True], repeat=worth.size):
        used = np.array(chosen)
        seats = np.unique(seat[used])
        if work[used].sum() <= capacity and seat_bytes[seats].sum() <= memory:
            best = max(best, worth[used].sum() - cost[seats].sum())
    return best


@pytest.mark.parametrize("guess", [0.0, 0.7])
def test_the_search_of_a_node_finds_the_best_choice_and_proves_it(guess):
    for seed in range(120):
        node = random_node(seed)
        used = np.zeros(node[1].size, dtype=np.int64)

        most, _, proven = best_choice(*node, guess, 100_000, used)

        assert proven
        assert most == pytest.approx(enumerated(*node), abs=1e-12), seed
        seat = np.repeat(np.arange(node[3].size), np.diff(node[0]))
        chosen = used == 1
        worth = node[1][chosen].sum() - node[3][np.unique(seat[chosen])].sum()
        assert worth == pytest.approx(most, abs=1e-12), seed


def test_a_search_that_is_given_up_still_bounds_and_keeps_the_limits():
    for seed in range(60):
        node = random_node(seed)
        used = np.zeros(node[1].size, dtype=np.int64)

        most, _, _ = best_choice(*node, 0.0, 1, used)

        assert most >= enumerated(*node) - 1e-12, seed
        assert node[2][used == 1].sum() <= node[6]


@pytest.mark.parametrize("most_nodes", [0, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_no_multipliers_bound_above_the_optimum(kind, most_nodes, brute, make_problem):
    rng = np.random.default_rng(5)
    for seed in range(25):
        problem = make_problem(seed, kind)
        reduction = reduction_by_limits(problem)
        best = brute(problem)
        if math.isinf(best) or demands_without(problem, reduction.live_pair).size:
            continue
        at = with_tolerance(arrange(problem, reduction), 1.1)
        size = np.abs(problem.pair_cost).max() + problem.host_cost.max() + 1e-300
        for _ in range(4):
            value = rng.uniform(-0.5, 2.0, at.num_demands) * size
            price = rng.uniform(0.0, 1.0, at.num_nodes) * size * (rng.random(at.num_nodes) < 0.5)
            served, slope = np.zeros(at.num_slots), np.zeros(at.num_demands)
            excess, least = np.zeros(at.num_nodes), np.zeros(at.num_nodes)

            bound = relax(at, value, price, 3, most_nodes, served, slope, excess, least)

            assert bound <= best + 1e-9 * size, (kind, seed)


def test_annealing_improves_and_stays_within_limits(benchmark_module):
    problem = benchmark_module.network(20, 4, 8, seed=2)
    at = with_tolerance(arrange(problem, reduction_by_limits(problem)), 0.5)
    point = ascend(
        at, first_multipliers(at), upper=np.inf, gap=0.0, until=np.inf, most_steps=200, paces=(0.1, 1e-3)
    )
    search = Search(at, choices_of(at), point.price, np.random.default_rng(0))
    start = search.first(point.served)
    assert start is not None

    found = search.anneal(point.served, None, 20_000, np.inf)

    before, after = (solution_from_pairs(problem, at.pair[slots]) for slots in (start, found))
    assert violations_of(problem, before) == violations_of(problem, after) == ()
    assert objective_value(problem, after) < objective_value(problem, before)
    assert objective_value(problem, after) == pytest.approx(search.cost(found), rel=1e-12)


SAME = """
import importlib.util, json, sys
import numpy as np
spec = importlib.util.spec_from_file_location("benchmark", sys.argv[1])
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)
from solvers.placement.arrangement import arrange
from solvers.placement.ascent import ascend, first_multipliers
from solvers.placement.choices import choices_of
from solvers.placement.local_search import Search
from solvers.placement.reduce import reduction_by_limits
problem = benchmark.network(12, 3, 6, seed=1)
at = arrange(problem, reduction_by_limits(problem))
start = first_multipliers(at)
for most_nodes in (0, 50):
    ends = dict(upper=np.inf, gap=0.0, until=np.inf, most_steps=20, paces=(0.1, 0.01))
    point = ascend(at, start, most_nodes=most_nodes, **ends)
    start = point.value, point.price
search = Search(at, choices_of(at), point.price, np.random.default_rng(3))
found = search.anneal(point.served, None, 800, np.inf)
print(json.dumps([point.bound, point.value.tolist(), found.tolist()]))
"""


def test_compiled_and_plain_loops_give_the_same_answer_to_the_last_digit(benchmark_module):
    answers = []
    for switch in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", SAME, benchmark_module.__file__],
            env=os.environ | {"NUMBA_DISABLE_JIT": switch},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]
