"""Cells of more devices than fit one block: stand-ins, hints, and answers that blocks leave as they are."""

from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, solve
from solvers.allocation.fleet import BLOCK, fleet_of
from solvers.allocation.respond import respond

DEVICE_FIELDS = ("bits", "gain", "max_power_w", "cycles", "max_frequency_hz", "capacitance")


def large(make_problem: Any, seed: int, num: int) -> dict[str, Any]:
    values: dict[str, Any] = make_problem(seed, num)
    return values | {"band_hz": 1e6 * num, "time_weight": 0.1 * num}


@pytest.mark.parametrize("num", [BLOCK - 1, BLOCK + 1, 3 * BLOCK + 5])
def test_cells_around_and_beyond_a_block_are_certified(make_problem: Any, num: int) -> None:
    result = solve(AllocationProblem(**large(make_problem, 1, num)))
    assert result.gap <= 1e-12
    assert result.solution is not None
    assert np.sum(result.solution.bandwidth_hz) == pytest.approx(1e6 * num, rel=1e-12)


def test_a_large_given_deadline_is_certified(make_problem: Any) -> None:
    values = large(make_problem, 2, BLOCK)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    assert solve(AllocationProblem(**values | {"deadline_s": 1.2 * least})).gap <= 1e-12


def test_cells_cut_by_a_block_s_end_are_answered_as_if_alone(make_problem: Any) -> None:
    parts = [large(make_problem, seed, num) for seed, num in ((3, BLOCK - 7), (4, 20), (5, 2 * BLOCK))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in DEVICE_FIELDS}
    for name in ("band_hz", "time_weight"):
        joined[name] = np.array([part[name] for part in parts])
    cell = np.repeat(np.arange(3), [len(part["bits"]) for part in parts])
    together = solve(AllocationProblem(**joined, noise_w_per_hz=4e-21, energy_weight=1.0, cell=cell))
    for place, part in enumerate(parts):
        alone = solve(AllocationProblem(**part))
        assert np.asarray(together.objective)[place] == pytest.approx(alone.objective, rel=1e-12)
        assert np.asarray(together.minimum_deadline_s)[place] == pytest.approx(
            alone.minimum_deadline_s, rel=1e-12
        )


def test_a_stand_in_asks_for_nearly_what_its_cell_does(make_problem: Any) -> None:
    fleet = fleet_of(AllocationProblem(**large(make_problem, 6, 2 * BLOCK)))
    sample = fleet.sample
    assert sample is not None
    assert len(sample.transmitters.a) < len(fleet.transmitters.a) / 10
    mu, margin = np.array([1e-8]), 0.1 * fleet.base
    whole, part = respond(fleet.transmitters, mu, margin), respond(sample.transmitters, mu, margin)
    for name in ("bandwidth", "price"):
        assert np.sum(getattr(part, name)) == pytest.approx(np.sum(getattr(whole, name)), rel=0.3)


def test_small_and_several_cells_have_no_stand_in(make_problem: Any, make_cells: Any) -> None:
    assert fleet_of(AllocationProblem(**make_problem(7, 40))).sample is None
    assert fleet_of(AllocationProblem(**make_cells(7, 400, 60))).sample is None


@pytest.mark.parametrize("shift", [-3.0, 0.0, 3.0, 50.0])
def test_a_hint_changes_no_answer(make_problem: Any, shift: float) -> None:
    group = fleet_of(AllocationProblem(**large(make_problem, 8, 300))).transmitters
    mu, margin = np.array([1e-8]), np.array([3.0])
    near = np.full(300, -np.inf)
    first = respond(group, mu, margin, near)
    assert np.isfinite(near).any()
    hinted = respond(group, mu, margin, near + shift)
    assert hinted.bandwidth == pytest.approx(first.bandwidth, rel=1e-11)
    assert hinted.price == pytest.approx(first.price, rel=1e-11)
