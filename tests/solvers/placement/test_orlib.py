"""Published optima of the OR-Library: generalised assignment and capacitated facility location."""

import pytest

from solvers.common import Options, Status
from solvers.placement import solve

SPLIT = ["cap41", "cap51", "cap62", "cap63", "cap64", "cap72", "cap74"]
SINGLE = ["cap61", "cap62", "cap63", "cap64", "cap71", "cap72", "cap73", "cap74"]


@pytest.mark.parametrize("name", [f"gap{number}" for number in range(1, 7)])
def test_generalised_assignment_reaches_the_published_optimum(orlib, benchmark_module, name):
    problems = benchmark_module.read_gap(orlib / "gap" / f"{name}.txt")
    optima = benchmark_module.gap_optima(orlib / "gap" / "opt_gap_1_12.txt")[name]

    assert len(problems) == len(optima) == 5
    for problem, optimum in zip(problems, optima, strict=True):
        result = solve(problem, "via_highs", Options(gap=0.0))
        assert result.status is Status.OPTIMAL
        assert result.objective == result.bound == -optimum


def test_cp_sat_reaches_the_published_optimum(orlib, benchmark_module):
    optimum = benchmark_module.gap_optima(orlib / "gap" / "opt_gap_1_12.txt")["gap1"][0]

    result = solve(benchmark_module.read_gap(orlib / "gap" / "gap1.txt")[0], "via_cp_sat", Options(gap=0.0))

    assert result.objective == result.bound == -optimum


@pytest.mark.parametrize("name", SPLIT)
def test_split_facility_location_reaches_the_published_optimum(orlib, benchmark_module, name):
    problem = benchmark_module.read_cap(orlib / "cap" / f"{name}.txt", split=True)
    optimum = benchmark_module.cap_optima(orlib / "cap" / "capopt.txt")[name]

    result = solve(problem)

    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(optimum, abs=1e-3)
    assert result.bound <= optimum


@pytest.mark.parametrize("name", SINGLE)
def test_single_source_is_proven_and_not_below_the_split_optimum(orlib, benchmark_module, name):
    problem = benchmark_module.read_cap(orlib / "cap" / f"{name}.txt", split=False)
    split_optimum = benchmark_module.cap_optima(orlib / "cap" / "capopt.txt")[name]

    result = solve(problem)

    assert result.status is Status.OPTIMAL
    assert result.gap <= 1e-6
    assert result.objective >= split_optimum - 1e-3


@pytest.mark.parametrize("name", ["cap41", "cap42", "cap43", "cap44", "cap51"])
def test_single_source_does_not_fit_where_a_customer_exceeds_every_warehouse(orlib, benchmark_module, name):
    problem = benchmark_module.read_cap(orlib / "cap" / f"{name}.txt", split=False)

    result = solve(problem)

    assert result.status is Status.INFEASIBLE
    assert "the least relaxation: capacity of node" in result.explanation
