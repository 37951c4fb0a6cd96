"""The two ways of each cluster in the letters of the derivation, and the best root legs."""

from dataclasses import dataclass

import numpy as np

from solvers.clusters.evaluate import candidate_roots, leg_clusters
from solvers.clusters.problem import ClusterProblem
from solvers.common.arrays import FloatArray, IntArray

_HALVINGS = 40
"""Of the logarithm of a leg's spectral efficiency: to 6e-11, so that its flat cost is exact to rounding."""


@dataclass(frozen=True)
class Phases:
    """What the compiled loops read, for M clusters; costs are per gather.

    ``up`` and ``back`` have a row for each cluster, laid out as in :mod:`solvers.clusters.loops.fields`;
    ``trips`` (M,) is the number of ways back for each gather; ``constant`` (M, N) what each root costs
    besides, ``inf`` for no candidate; ``leg_power_w`` (M, N) the best power of each root's leg.
    """

    up: FloatArray
    back: FloatArray
    trips: FloatArray
    constant: FloatArray
    leg_power_w: FloatArray


def phases_of(problem: ClusterProblem, *, list_sets: bool = True) -> Phases:
    """Return the phases of a problem with the axis M.

    ``list_sets`` says whether the rows end with the payload of each set of nodes, or with room for that of
    each transfer and the payload of all.
    """
    power_w, leg_cost = best_legs(problem)
    legs = problem.num_root_legs[:, None]
    fixed = problem.energy_weight[:, None] * problem.root_joules
    fixed = fixed + problem.time_weight[:, None] * problem.root_seconds
    gathers = problem.num_gathers[:, None]
    constant = legs / gathers * (fixed + leg_cost)
    return Phases(
        up=_rows(problem, list_sets, back=False),
        back=_rows(problem, list_sets, back=True),
        trips=problem.num_round_trips / problem.num_gathers,
        constant=np.where(candidate_roots(problem), constant, np.inf),
        leg_power_w=power_w,
    )


def best_legs(problem: ClusterProblem) -> tuple[FloatArray, FloatArray]:
    """Return power and cost of the best leg of each root, (M, N); 0 where a cluster has none.

    Over a band b a leg takes a / (b q) seconds and n b x W at a spectral efficiency q.  Its cost falls in q
    up to where A b chi is the price of a second, or to the limit of power.
    """
    band, nats = problem.leg_band_hz, np.log(2.0) * problem.union_bits[:, None]
    has = leg_clusters(problem)[:, None] & (problem.leg_gain > 0)
    noise = problem.leg_noise_w_per_hz / np.where(has, problem.leg_gain, 1.0)
    energy = problem.energy_weight[:, None]
    price = problem.time_weight[:, None] + energy * (problem.circuit_power_w + problem.leg_receive_power_w)
    spend = energy * noise / problem.efficiency
    high = np.log(np.log1p(problem.leg_max_power_w / (noise * band)))
    low = high - 60.0
    full = spend * band * _chi(np.exp(high)) <= price
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        over = spend * band * _chi(np.exp(middle)) > price
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    q = np.exp(high)
    x = np.expm1(q)
    power = np.where(full, problem.leg_max_power_w, np.minimum(noise * band * x, problem.leg_max_power_w))
    cost = (energy * power / problem.efficiency + price) * nats / (band * q)
    return np.where(has, power, 0.0), np.where(has, cost, 0.0)


def _chi(q: FloatArray) -> FloatArray:
    series = q * q * (1 / 2 + q * (1 / 3 + q * (1 / 8 + q * (1 / 30 + q * (1 / 144 + q / 840)))))
    return np.where(q < 0.02, series, np.exp(q) * (q - 1.0) + 1.0)


def _rows(problem: ClusterProblem, list_sets: bool, *, back: bool) -> FloatArray:
    """Return one way of each cluster as a row: links by (node, parent), in the direction of travel."""
    count, num = problem.num_clusters, problem.num_nodes
    shape = (count, num, num)
    child, above = np.broadcast_to(np.arange(num)[:, None], (num, num)), np.arange(num)[None, :]
    source, target = (above + 0 * child, child) if back else (child, above + 0 * child)
    gain = problem.gain[:, source, target]
    with np.errstate(divide="ignore"):
        noise = problem.noise_w_per_hz[:, target] / gain
    energy = problem.energy_weight[:, None, None]
    with np.errstate(invalid="ignore"):
        spend = np.where(gain > 0, energy * noise / problem.efficiency[:, source], np.inf)
    cap = problem.max_power_w[:, source]
    idle = energy * (problem.circuit_power_w[:, source] + problem.receive_power_w[:, target])
    columns = 1 << num if list_sets else num + 1
    nats = np.repeat(np.log(2.0) * problem.union_bits[:, None], columns, axis=1)
    if list_sets and not back:
        nats = np.log(2.0) * bits_of_sets(problem)
    least, most, cube = (np.zeros((count, num)),) * 3 if back else _computing(problem)
    pieces = [values.reshape(count, -1) for values in np.broadcast_arrays(noise, spend, cap, idle)]
    assert pieces[0].shape == (count, shape[1] * shape[2])
    weights = np.stack([problem.band_hz, problem.time_weight], axis=1)
    return np.ascontiguousarray(np.concatenate([*pieces, least, most, cube, weights, nats], axis=1))


def bits_of_sets(problem: ClusterProblem) -> FloatArray:
    """Return the bits of the union of the items of each set of nodes, (M, 2 ** N)."""
    covered = np.zeros((problem.num_clusters, 1, problem.item_bits.shape[1]), dtype=np.bool_)
    for node in range(problem.num_nodes):
        covered = np.concatenate([covered, covered | problem.node_items[:, node, None, :]], axis=1)
    bits: FloatArray = (covered * problem.item_bits[:, None, :]).sum(axis=2)
    return bits


def _computing(problem: ClusterProblem) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return least and longest seconds of computing and K^3 of each node, (M, N)."""
    works = problem.cycles > 0
    least = np.where(works, problem.cycles / problem.max_frequency_hz, 0.0)
    slowest = np.where(problem.min_frequency_hz > 0, problem.min_frequency_hz, 1.0)
    most = np.where(works, np.where(problem.min_frequency_hz > 0, problem.cycles / slowest, np.inf), 0.0)
    cube = problem.cycles**3 * 2.0 * problem.energy_weight[:, None] * problem.capacitance
    return least, most, cube


def frequencies(problem: ClusterProblem, seconds: FloatArray) -> FloatArray:
    """Return the CPU frequency that takes so many seconds, within its limits, (M, N); 0 without cycles."""
    works = (problem.cycles > 0) & (seconds > 0)
    frequency = np.where(works, problem.cycles / np.where(works, seconds, 1.0), 0.0)
    limited = np.clip(frequency, problem.min_frequency_hz, problem.max_frequency_hz)
    return np.where(works, limited, 0.0)


def powers(
    problem: ClusterProblem,
    source: IntArray,
    target: IntArray,
    bits: FloatArray,
    band: FloatArray,
    seconds: FloatArray,
) -> FloatArray:
    """Return the radiated power at which transfers take so many seconds, within its limit, (M, N)."""
    rows = np.arange(problem.num_clusters)[:, None]
    sends = (source >= 0) & (target >= 0) & (band > 0) & (seconds > 0)
    with np.errstate(divide="ignore"):
        noise = problem.noise_w_per_hz[rows, target] / problem.gain[rows, source, target]
    product = np.where(sends, band * seconds, 1.0)
    power = np.where(sends, noise, 0.0) * band * np.expm1(np.where(sends, bits * np.log(2.0) / product, 0.0))
    return np.where(sends, np.minimum(power, problem.max_power_w[rows, source]), 0.0)
