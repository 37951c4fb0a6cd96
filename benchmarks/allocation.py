"""Allocation: proven gaps on extreme cells, time against CVXPY, growth, and how far heuristics stay behind.

Run ``python benchmarks/allocation.py``; ``--help`` lists what can be made larger.
"""

import argparse
import time
import tracemalloc
from typing import Any

import numpy as np

from solvers.allocation import AllocationProblem, AllocationResult, solve, solve_levels
from solvers.allocation.blocks import blocks
from solvers.common import Options
from solvers.common.compiled import has_compiler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stress-cells", type=int, default=600, help="extreme cells solved (default 600)")
    parser.add_argument("--stress-largest", type=int, default=200, help="devices in the largest of them")
    parser.add_argument("--oracle", type=int, nargs="*", default=[10, 40], help="sizes compared with CVXPY")
    parser.add_argument("--largest", type=int, default=100_000, help="devices in the largest single cell")
    parser.add_argument("--cells", type=int, default=1000, help="small cells solved in one batch")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(
        "loops compiled by numba"
        if has_compiler()
        else "arrays alone: numba is absent, or told to stand aside"
    )
    solve(AllocationProblem(**moderate(rng, np.array([3]))))  # numba compiles at the first call
    stress(rng, options.stress_cells, options.stress_largest)
    batch(rng, options.cells)
    growth(rng, options.largest)
    heuristics(rng)
    levels(options.seed)
    against_oracle(rng, options.oracle)


def stress(rng: np.random.Generator, num_cells: int, largest: int) -> None:
    """Print proven gaps on cells whose numbers range over many decades."""
    problem = AllocationProblem(**extreme(rng, rng.integers(1, largest + 1, num_cells)))
    result = solve(problem)
    gap = np.asarray(result.gap)
    print(f"extreme cells: {num_cells} of 1 to {largest} devices, {problem.num_devices} devices in all")
    print(f"  proven relative gap: median {np.median(gap):.1e}, worst {gap.max():.1e}")
    print(f"  cells above 1e-9: {int(np.sum(~(gap <= 1e-9)))};  seconds: {result.seconds:.2f}")


def batch(rng: np.random.Generator, num_cells: int) -> None:
    """Print the time of many small cells in one call against one call each."""
    values = moderate(rng, rng.integers(4, 41, num_cells))
    together, seconds = timed(values)
    some = min(num_cells, 50)
    alone = sum(timed(single(values, place))[1] for place in range(some)) / some
    print(f"{num_cells} cells of 4 to 40 devices in one call: {seconds:.3f} s,", end=" ")
    print(f"{alone * num_cells / seconds:.0f} times faster than one by one;", end=" ")
    print(f"worst gap {np.max(np.asarray(together.gap)):.1e}")
    _, seconds = timed(moderate(rng, np.full(num_cells, 20)), repeats=3)
    _, whole = timed(single(moderate(rng, np.array([20 * num_cells])), 0), repeats=3)
    print(f"{num_cells} cells of 20 devices: {seconds:.3f} s,", end=" ")
    print(f"{seconds / whole:.1f} times one cell of as many devices")


def growth(rng: np.random.Generator, largest: int) -> None:
    """Print how time and memory of a single cell grow with its devices; time also in passes of ``np.exp``.

    A pass is ``np.exp`` of as many doubles in one call, or in blocks that stay in the processor's cache.
    """
    print("one cell:   devices    seconds   passes of exp   in blocks   gap     bytes a device")
    size = 10
    while size <= largest:
        result, seconds = timed(single(moderate(rng, np.array([size])), 0), repeats=5)
        numbers = rng.random(size)
        whole = min(clocked(lambda numbers=numbers: np.exp(numbers)) for _ in range(9))
        once = min(clocked(lambda numbers=numbers: exponentials(numbers)) for _ in range(9))
        extra = memory(single(moderate(rng, np.array([size])), 0)) / size
        print(f"         {size:>10d} {seconds:>10.5f} {seconds / whole:>15.0f}", end=" ")
        print(f"{seconds / once:>11.0f}   {float(result.gap):.1e} {extra:>14.0f}")
        size *= 10


def heuristics(rng: np.random.Generator) -> None:
    """Print by how much the heuristics' cost exceeds the optimum, over 200 moderate cells."""
    problem = AllocationProblem(**moderate(rng, rng.integers(4, 41, 200)))
    best = np.asarray(solve(problem).objective)
    print("heuristic: cost above the optimum, median and worst of 200 cells")
    for name in (
        "equal_bandwidth_full_power",
        "equal_bandwidth_optimal",
        "block_alternation",
        "latency_first",
    ):
        excess = np.asarray(solve(problem, name).objective) / best - 1.0
        print(f"  {name:<28} {100 * np.median(excess):>9.2f} % {100 * excess.max():>11.2f} %")


def levels(seed: int) -> None:
    """Print time and gap with 4 levels of power and 5 of frequency for each device."""
    for size in (5, 10, 20):
        values = single(moderate(np.random.default_rng(seed), np.array([size])), 0)
        result = solve_levels(
            AllocationProblem(**values),
            power_levels_w=values["max_power_w"][:, None] * np.array([0.125, 0.25, 0.5, 1.0]),
            frequency_levels_hz=values["max_frequency_hz"][:, None] * np.array([0.2, 0.4, 0.6, 0.8, 1.0]),
            options=Options(time_limit_s=10.0),
        )
        print(f"levels, {size} devices: {result.seconds:.2f} s, gap {result.gap:.1e}, {result.stop_reason}")


def against_oracle(rng: np.random.Generator, sizes: list[int]) -> None:
    """Print time and difference of the cone program; the first call of each is not counted."""
    for size in sizes:
        values = single(moderate(rng, np.array([size])), 0)
        timed(values, method="via_cvxpy")
        mine, fast = timed(values, repeats=9)
        oracle, slow = timed(values, method="via_cvxpy")
        difference = float(oracle.objective) / float(mine.objective) - 1.0
        print(
            f"CVXPY, {size} devices: {slow:.2f} s, by_dual {1e3 * fast:.2f} ms, ratio {slow / fast:.0f};",
            end=" ",
        )
        print(f"relative difference {difference:.1e}, gap of CVXPY's prices {float(oracle.gap):.1e}")


def timed(values: dict[str, Any], method: str = "auto", repeats: int = 1) -> tuple[AllocationResult, float]:
    problem = AllocationProblem(**values)
    results = [solve(problem, method) for _ in range(repeats)]
    return results[-1], min(result.seconds for result in results)


def exponentials(numbers: np.ndarray) -> None:
    """Take one exponential a device, in blocks that stay in the cache as the solver's do."""
    for part in blocks(len(numbers)):
        np.exp(numbers[part])


def memory(values: dict[str, Any]) -> int:
    """Return the most bytes held at once while solving, the problem's own arrays not counted."""
    problem = AllocationProblem(**values)
    tracemalloc.start()
    solve(problem)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def clocked(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def extreme(rng: np.random.Generator, sizes: np.ndarray) -> dict[str, Any]:
    """Return cells with gains 1e-16..1e-7, payloads 1e3..1e9 bit and time weights 1e-6..1e6."""
    return {
        **devices(rng, sizes, (3, 9), (-16, -7), (6, 11), (8, 10)),
        "band_hz": 10.0 ** rng.uniform(5, 8, len(sizes)),
        "time_weight": 10.0 ** rng.uniform(-6, 6, len(sizes)),
    }


def moderate(rng: np.random.Generator, sizes: np.ndarray) -> dict[str, Any]:
    """Return cells with 0.5 MHz a device, 10 to 50 Mbit and 1e9..1e10 cycles each."""
    return {
        **devices(rng, sizes, (7, 7.7), (-13, -10), (9, 10), (9, 9.5)),
        "band_hz": 5e5 * sizes,
        "time_weight": 0.1 * sizes,
    }


def devices(
    rng: np.random.Generator,
    sizes: np.ndarray,
    bits: tuple[float, float],
    gain: tuple[float, float],
    cycles: tuple[float, float],
    frequency: tuple[float, float],
) -> dict[str, Any]:
    """Return devices whose numbers are spread evenly over powers of ten."""
    cell = np.repeat(np.arange(len(sizes)), sizes)

    def spread(decades: tuple[float, float]) -> np.ndarray:
        return 10.0 ** rng.uniform(*decades, len(cell))

    return {
        "bits": spread(bits),
        "gain": spread(gain),
        "noise_w_per_hz": 4e-21,
        "max_power_w": spread((-2, 0.5)),
        "cycles": spread(cycles),
        "max_frequency_hz": spread(frequency),
        "capacitance": spread((-29, -27)),
        "energy_weight": 1.0,
        "cell": cell,
    }


def single(values: dict[str, Any], place: int) -> dict[str, Any]:
    """Return one cell of several as a problem of its own."""
    mine = values["cell"] == place
    kept = {name: value for name, value in values.items() if name != "cell"}
    per_cell = ("band_hz", "time_weight")
    return {
        name: value[place] if name in per_cell else value[mine] if np.ndim(value) else value
        for name, value in kept.items()
    }


if __name__ == "__main__":
    main()
