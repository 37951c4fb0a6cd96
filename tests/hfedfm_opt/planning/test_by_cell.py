"""Placement cell by cell: the same costs as candidates, exact under prices, with bounds below every plan."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfedfm_opt.planning.by_cell import plan_cells
from hfedfm_opt.planning.by_cell.deadline import best_deadline
from hfedfm_opt.planning.by_cell.place_cells import GroupCosts, least_of_subsets, place_cells, subset_sums
from hfedfm_opt.planning.by_cell.prices import Taken, taken_by
from hfedfm_opt.planning.by_cell.search import bound_of, even, search_cells
from hfedfm_opt.planning.by_cell.ways import HOME, SERVER, Group, Ways, ways_of
from hfedfm_opt.planning.candidates import candidates_of
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.generate import campus_instance, city_instance
from hfedfm_opt.system.instance import Instance, Objective
from hfedfm_opt.system.network import resolve_network

MakeInstance = Callable[..., Instance]


@pytest.mark.parametrize("reach", ["device", "server", "above"])
@pytest.mark.parametrize("seed", range(3))
def test_ways_cost_what_candidates_cost(make_instance, seed, reach):
    instance = make_instance(seed, split=True, fog=seed == 2)
    trained = {"may_run_on": ("device", "edge", "cloud"), "activation_bits_per_sample": 1e4}
    modules = tuple(
        module.model_copy(update=trained) if module.id == "adapter" else module for module in instance.modules
    )
    assert_same_costs(instance.model_copy(update={"modules": modules}), reach)


def test_ways_of_the_campus_cost_what_candidates_cost():
    assert_same_costs(campus_instance(), "server")


def assert_same_costs(instance: Instance, reach: str) -> None:
    network = resolve_network(instance)
    ways = ways_of(network, reach)
    for group in ways.groups:
        for row, place in enumerate(group.devices):
            device = network.devices[place]
            path = network.path_up(device)
            for column, module in enumerate(group.modules):
                found = candidates_of(network, device, module, loads_of(network, device)[module], reach)
                for candidate in found:
                    at = row, column, path.index(candidate.host)
                    assert group.link_s[at] == pytest.approx(candidate.link_seconds, rel=1e-9, abs=1e-15)
                    assert group.host_s[at] == pytest.approx(candidate.host_seconds, rel=1e-9, abs=1e-15)
                    assert group.joules[at] == pytest.approx(candidate.joules, rel=1e-9, abs=1e-15)
                    if at[2] == HOME:
                        assert group.update_s[row, column] == pytest.approx(candidate.update_seconds)
                        assert group.update_j[row, column] == pytest.approx(candidate.update_joules)
                assert np.isfinite(group.link_s[row, column]).sum() == len(found)


def random_ways(rng: np.random.Generator, num_devices: int, num_cells: int = 2, modules: int = 3) -> Ways:
    """Return devices of two groups, with ways of random costs, some of them missing, and tight memories."""
    names = [f"m{index}" for index in range(modules)]
    size_of = dict(zip(names, rng.uniform(1, 3, modules), strict=True))
    group_of = rng.integers(2, size=num_devices)
    groups = []
    for number in range(2):
        devices = np.flatnonzero(group_of == number)
        if not devices.size:
            continue
        own = names[number:]
        shape = (len(devices), len(own), 3)
        link_s, host_s, joules = (rng.uniform(0.1, 3.0, shape) for _ in range(3))
        link_s[:, :, HOME] = 0.0
        missing = rng.random(shape) < 0.2
        missing[:, :, -1] = False
        for values in (link_s, host_s, joules):
            values[missing] = np.inf
        group = Group(
            devices=devices,
            modules=tuple(own),
            bytes_of=np.array([size_of[name] for name in own]),
            free_bytes=rng.uniform(0, 6, len(devices)),
            link_s=link_s,
            host_s=host_s,
            joules=joules,
            update_s=np.zeros(shape[:2]),
            update_j=np.zeros(shape[:2]),
            stay_s=rng.uniform(0.1, 1, len(devices)),
            stay_j=rng.uniform(0.1, 1, len(devices)),
            slows=rng.random(len(devices)) < 0.7,
        )
        groups.append(group)
    cell = rng.integers(num_cells, size=num_devices)
    hosts = np.array([[index, num_cells] for index in range(num_cells)])
    tops = (*(f"s{index}" for index in range(num_cells)), "cloud")
    return Ways(tuple(groups), cell, hosts, tops, rng.uniform(0, 5, num_cells))


def every_placement(ways: Ways, cell: int):
    """Yield what a cell may choose, (group, row, module) and way of each of its modules, within memories."""
    slots = [
        (number, row, column)
        for number, group in enumerate(ways.groups)
        for row, device in enumerate(group.devices)
        if ways.cell[device] == cell
        for column in range(len(group.modules))
    ]
    for choice in product(range(3), repeat=len(slots)):
        hosted, kept, possible = {}, {}, True
        for (number, row, column), way in zip(slots, choice, strict=True):
            group = ways.groups[number]
            size = group.bytes_of[column]
            possible &= bool(np.isfinite(group.link_s[row, column, way]))
            if way == SERVER:
                hosted[group.modules[column]] = size
            if way == HOME:
                kept[number, row] = kept.get((number, row), 0.0) + size
        possible &= sum(hosted.values()) <= ways.server_bytes[cell]
        possible &= all(kept[key] <= ways.groups[key[0]].free_bytes[key[1]] for key in kept)
        if possible:
            yield list(zip(slots, choice, strict=True))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_the_placement_of_each_cell_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    ways = random_ways(rng, 3)
    costs = [
        GroupCosts(
            way=np.where(np.isfinite(group.link_s), rng.uniform(-1, 4, group.link_s.shape), np.inf),
            stay=rng.uniform(0, 1, len(group.devices)),
            whole=rng.uniform(0, 4, len(group.devices)),
        )
        for group in ways.groups
    ]
    costs = [
        GroupCosts(c.way, c.stay, np.where(np.isfinite(c.way[:, :, HOME]).all(axis=1), c.whole, np.inf))
        for c in costs
    ]
    placed = place_cells(ways, costs)

    def cost_of(choice) -> float:
        of_device: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for (number, row, column), way in choice:
            of_device.setdefault((number, row), []).append((column, way))
        total = 0.0
        for (number, row), chosen in of_device.items():
            cost = costs[number]
            one_by_one = cost.stay[row] + sum(cost.way[row, column, way] for column, way in chosen)
            at_home = all(way == HOME for _, way in chosen)
            total += min(one_by_one, cost.whole[row]) if at_home else one_by_one
        return total

    for cell in range(2):
        choices = list(every_placement(ways, cell))
        least = min(map(cost_of, choices), default=np.inf)
        assert placed.cost[cell] == pytest.approx(least, rel=1e-9, abs=1e-9)
        if np.isfinite(least):
            mine = [
                ((number, row, column), int(placed.way[number][row, column]))
                for number, group in enumerate(ways.groups)
                for row, device in enumerate(group.devices)
                if ways.cell[device] == cell
                for column in range(len(group.modules))
            ]
            assert mine in choices
            assert cost_of(mine) == pytest.approx(least, rel=1e-9, abs=1e-9)


def test_sums_and_least_values_of_subsets_by_hand():
    assert subset_sums(np.array([[1.0, 10.0, 100.0]])).tolist() == [[0, 1, 10, 11, 100, 101, 110, 111]]
    assert least_of_subsets(np.array([[3.0, 5.0, 2.0, 9.0]]), 2).tolist() == [[3, 3, 2, 2]]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), second=st.sampled_from([0.0, 0.1, 1.0, 20.0]))
def test_the_bound_is_below_every_placement_at_its_best_deadline(seed, second):
    rng = np.random.default_rng(seed)
    ways = random_ways(rng, 3, modules=2)
    weights = Objective(energy_weight_per_j=1.0, time_weight_per_s=second)
    found = search_cells(ways, weights, np.zeros(3), np.zeros(3), np.inf)
    cells = [list(every_placement(ways, cell)) for cell in range(2)]
    if found is None:
        assert not all(cells)
        return
    costs = []
    for choice in product(*cells):
        way = [np.zeros((len(group.devices), len(group.modules)), dtype=np.int64) for group in ways.groups]
        for (number, row, column), chosen in (slot for cell in choice for slot in cell):
            way[number][row, column] = chosen
        costs.append(best_deadline(weights, taken_by(ways, way), np.zeros(3)).cost)
    assert found.bound <= min(costs) * (1 + 1e-9)
    assert found.bound <= found.cost
    assert min(costs) <= found.cost * (1 + 1e-9)
    assert bound_of(ways, weights, even(ways, second), (1.0, np.zeros(3)), np.inf) <= min(costs) * (1 + 1e-9)


def test_the_best_deadline_is_that_of_a_fine_grid():
    weights = Objective(energy_weight_per_j=2.0, time_weight_per_s=0.3)
    taken = Taken(
        seconds=np.array([1.0, 2.0, 4.0]),
        joules=np.array([5.0, 9.0, 1.0]),
        busy_s=np.zeros(0),
        slack=np.array([True, True, False]),
    )
    sends_s = np.array([0.5, 0.0, 0.0])
    found = best_deadline(weights, taken, sends_s)

    def cost(deadline_s: float) -> float:
        slowed = 5.0 / (deadline_s - 0.5) ** 2 + 9.0 * (2.0 / deadline_s) ** 2
        return 2.0 * (slowed + 1.0) + 0.3 * deadline_s

    grid = np.linspace(4.0, 40.0, 100_001)
    assert found.cost == pytest.approx(min(map(cost, grid)), rel=1e-8)
    assert found.cost == pytest.approx(cost(found.seconds), rel=1e-12)


def test_what_a_placement_takes_is_what_its_plan_takes():
    network = resolve_network(campus_instance())
    ways = ways_of(network, "device")
    nothing_s = np.zeros(len(network.devices))
    found = search_cells(ways, network.instance.objective, nothing_s, nothing_s, np.inf)
    assert found is not None
    placed = plan_cells.placed_of(network, ways, found.way)
    ready, taken = readiness(network, placed.servings), taken_by(ways, found.way)
    assert taken.seconds == pytest.approx([ready.seconds[device] for device in network.devices], rel=1e-9)
    assert taken.joules == pytest.approx([ready.joules[device] for device in network.devices], rel=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_plans_by_cells_are_sound_and_nearly_as_good_as_in_turns(make_instance, monkeypatch, seed):
    instance = make_instance(seed, split=True, devices_per_server=(2, 3))
    turns = plan(instance, "optimised:2", allocate_d2d=False)
    monkeypatch.setattr(plan_cells, "LEAST_DEVICES", 1)
    cells = plan(instance, "optimised:2", allocate_d2d=False)
    assert cells.plan is not None
    assert cells.plan.violations == ()
    assert "each cell placed exactly" in cells.proof
    assert cells.bound <= turns.objective
    assert turns.bound <= cells.objective
    assert cells.objective <= 1.05 * turns.objective


def test_a_city_of_a_thousand_devices_is_planned_with_a_bound():
    result = plan(city_instance(1000, 20), "optimised:2")
    assert result.plan is not None
    assert result.plan.violations == ()
    assert result.seconds < 60
    assert 0.0 <= result.gap < 0.02
    assert sum(part.amount for part in result.gap_parts) == pytest.approx(result.objective - result.bound)


def test_a_city_too_large_for_its_memory_says_what_to_relax():
    instance = city_instance(1000, 20)
    nodes = tuple(
        node.model_copy(update={"memory_bytes": 1.0}) if node.id == "d0" else node for node in instance.nodes
    )
    result = plan(instance.model_copy(update={"nodes": nodes}), "optimised:2", time_limit_s=60)
    assert result.plan is None
    assert "relax memory of node 'd0'" in result.explanation
