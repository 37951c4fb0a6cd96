"""Laws that every optimum obeys, whatever the numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from solvers.allocation import AllocationProblem, solve

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)
SEEDS = st.integers(0, 10_000)
SIZES = st.integers(1, 12)
ROUNDING = 1.0 + 1e-12
DEVICE_FIELDS = ("bits", "gain", "max_power_w", "cycles", "max_frequency_hz", "capacitance")


def optimum(values: dict[str, Any]) -> float:
    return float(solve(AllocationProblem(**values)).objective)


@given(seed=SEEDS, num=SIZES, factor=st.floats(1.0, 100.0))
@SETTINGS
@pytest.mark.parametrize("field", ["band_hz", "max_power_w", "gain", "max_frequency_hz"])
def test_more_means_never_raise_the_optimum(
    make_problem: Any, field: str, seed: int, num: int, factor: float
) -> None:
    values = make_problem(seed, num)
    assert optimum(values | {field: values[field] * factor}) <= optimum(values) * ROUNDING


@given(seed=SEEDS, num=SIZES, factor=st.floats(1.0, 100.0))
@SETTINGS
@pytest.mark.parametrize("field", ["bits", "cycles", "capacitance", "noise_w_per_hz", "time_weight"])
def test_more_work_or_higher_prices_never_lower_the_optimum(
    make_problem: Any, field: str, seed: int, num: int, factor: float
) -> None:
    values = make_problem(seed, num)
    assert optimum(values | {field: values[field] * factor}) >= optimum(values) / ROUNDING


@given(seed=SEEDS, num=SIZES, first=st.floats(0.01, 5.0), second=st.floats(0.01, 5.0))
@SETTINGS
def test_the_energy_of_a_given_deadline_falls_and_is_convex(
    make_problem: Any, seed: int, num: int, first: float, second: float
) -> None:
    values = make_problem(seed, num)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    early, late = least * (1.0 + min(first, second)), least * (1.0 + max(first, second))

    def energy(deadline: float) -> float:
        return optimum(values | {"deadline_s": deadline, "time_weight": 0.0})

    assert energy(late) <= energy(early) * ROUNDING
    assert energy(0.5 * (early + late)) <= 0.5 * (energy(early) + energy(late)) * ROUNDING


@given(seed=SEEDS, num=SIZES)
@SETTINGS
def test_no_given_deadline_beats_the_chosen_one(make_problem: Any, seed: int, num: int) -> None:
    values = make_problem(seed, num)
    free = solve(AllocationProblem(**values))
    assert free.solution is not None
    chosen = float(free.solution.deadline_s)
    assert optimum(values | {"deadline_s": chosen}) == pytest.approx(free.objective, rel=1e-9)
    for factor in (0.99, 1.01, 2.0):
        if chosen * factor >= float(free.minimum_deadline_s):
            assert optimum(values | {"deadline_s": chosen * factor}) >= free.objective / ROUNDING


@given(seed=SEEDS, num=SIZES, scale=st.sampled_from([1e-6, 1e-3, 7.0, 1e3, 1e9]))
@SETTINGS
def test_the_unit_of_time_does_not_matter(make_problem: Any, seed: int, num: int, scale: float) -> None:
    values = make_problem(seed, num)
    scaled = values | {
        "band_hz": values["band_hz"] * scale,
        "max_frequency_hz": values["max_frequency_hz"] * scale,
        "max_power_w": values["max_power_w"] * scale,
        "capacitance": values["capacitance"] / scale**2,
        "time_weight": values["time_weight"] * scale,
    }
    assert optimum(scaled) == pytest.approx(optimum(values), rel=1e-11)


@given(seed=SEEDS, num=SIZES, scale=st.sampled_from([1e-6, 1e-3, 7.0, 1e3, 1e9]))
@SETTINGS
def test_the_unit_of_energy_does_not_matter(make_problem: Any, seed: int, num: int, scale: float) -> None:
    values = make_problem(seed, num)
    scaled = values | {
        "noise_w_per_hz": values["noise_w_per_hz"] * scale,
        "max_power_w": values["max_power_w"] * scale,
        "capacitance": values["capacitance"] * scale,
        "energy_weight": values["energy_weight"] / scale,
    }
    assert optimum(scaled) == pytest.approx(optimum(values), rel=1e-11)


@given(seed=SEEDS, num=SIZES, scale=st.sampled_from([1e-9, 0.1, 1e6]))
@SETTINGS
def test_the_currency_of_both_prices_only_scales_the_optimum(
    make_problem: Any, seed: int, num: int, scale: float
) -> None:
    values = make_problem(seed, num)
    priced = values | {name: values[name] * scale for name in ("energy_weight", "time_weight")}
    assert optimum(priced) == pytest.approx(scale * optimum(values), rel=1e-11)


@given(seed=SEEDS, num=st.integers(2, 12))
@SETTINGS
def test_relabelling_devices_relabels_the_answer(make_problem: Any, seed: int, num: int) -> None:
    values = make_problem(seed, num)
    order = np.random.default_rng(seed).permutation(num)
    moved = solve(AllocationProblem(**values | {name: values[name][order] for name in DEVICE_FIELDS}))
    here = solve(AllocationProblem(**values))
    assert here.solution is not None
    assert moved.solution is not None
    assert moved.objective == pytest.approx(here.objective, rel=1e-13)
    assert moved.solution.bandwidth_hz == pytest.approx(here.solution.bandwidth_hz[order], rel=1e-6)


@given(seed=SEEDS, num_cells=st.integers(1, 12), largest=st.integers(1, 8))
@SETTINGS
def test_a_batch_answers_each_cell_as_if_it_were_alone(
    make_cells: Any, seed: int, num_cells: int, largest: int
) -> None:
    values = make_cells(seed, num_cells, largest)
    shuffled = np.random.default_rng(seed).permutation(len(values["cell"]))
    mixed = values | {name: values[name][shuffled] for name in (*DEVICE_FIELDS, "cell")}
    together = solve(AllocationProblem(**mixed))
    for place in range(num_cells):
        mine = values["cell"] == place
        one = {name: values[name][mine] for name in DEVICE_FIELDS}
        one |= {name: values[name][place] for name in ("band_hz", "time_weight")}
        alone = solve(AllocationProblem(**one, noise_w_per_hz=4e-21, energy_weight=1.0))
        assert np.asarray(together.objective)[place] == pytest.approx(alone.objective, rel=1e-10)


@given(
    seed=SEEDS,
    num=SIZES,
    first=st.tuples(st.floats(0.5, 4.0), st.floats(1.01, 5.0)),
    second=st.tuples(st.floats(0.5, 4.0), st.floats(1.01, 5.0)),
)
@SETTINGS
def test_the_optimum_is_jointly_convex_in_band_and_deadline(
    make_problem: Any, seed: int, num: int, first: tuple[float, float], second: tuple[float, float]
) -> None:
    values = make_problem(seed, num)
    narrow = values | {"band_hz": values["band_hz"] * min(first[0], second[0])}
    least = float(solve(AllocationProblem(**narrow)).minimum_deadline_s)

    def at(point: tuple[float, float]) -> float:
        given_values = {"band_hz": values["band_hz"] * point[0], "deadline_s": least * point[1]}
        return optimum(values | given_values)

    middle = (0.5 * (first[0] + second[0]), 0.5 * (first[1] + second[1]))
    assert at(middle) <= 0.5 * (at(first) + at(second)) * ROUNDING


@given(seed=SEEDS, num=st.integers(1, 6), moved=st.floats(-0.3, 0.3))
@SETTINGS
def test_cells_with_one_price_of_bandwidth_gain_nothing_by_trading_band(
    make_problem: Any, seed: int, num: int, moved: float
) -> None:
    first, second = make_problem(seed, num), make_problem(seed + 1, num + 1)
    price = solve(AllocationProblem(**first)).solution.bandwidth_price  # type: ignore[union-attr]

    def excess(ln_band: float) -> float:
        found = solve(AllocationProblem(**second | {"band_hz": np.exp(ln_band)})).solution
        assert found is not None
        return float(np.log(found.bandwidth_price / price))

    start = float(np.log(second["band_hz"]))
    equal = brentq(excess, start - 60.0, start + 60.0, xtol=1e-13, rtol=1e-13)
    second["band_hz"] = float(np.exp(equal))
    traded = moved * min(first["band_hz"], second["band_hz"])
    before = optimum(first) + optimum(second)
    after = optimum(first | {"band_hz": first["band_hz"] + traded})
    after += optimum(second | {"band_hz": second["band_hz"] - traded})
    assert after >= before / ROUNDING
