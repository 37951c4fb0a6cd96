"""A bound over all associations: each device's server is priced out by multipliers.

With a multiplier ``u_d`` for "device d has one server", the servers become independent: for each number n of
devices, server s takes the n of least ``c_ds(n) - u_d`` in the cheapest of its ways to average, or none.  The
sum of these minima and of the multipliers is below every association, whatever the multipliers are
(Geoffrion 1974, doi:10.1007/BFb0120690); a subgradient climb finds good ones.
"""

from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.association_costs import CellCosts
from solvers.common.arrays import FloatArray, IntArray

MOST_STEPS = 150
"""Steps of the climb."""
PATIENCE = 12
"""Steps without a better bound after which steps are halved."""
ROUNDING = 1e-9
"""Part of a bound that is taken off for rounding."""


@dataclass(frozen=True)
class _Reach:
    """Links in a table with a row for each server, filled up with links to nobody: (S, R)."""

    link: IntArray
    there: FloatArray


def association_bound(costs: CellCosts, value: float, gap: float = 1e-3) -> float:
    """Return a lower bound on the objective per round over all associations.

    Parameters
    ----------
    costs : CellCosts
        Least costs of devices at servers.
    value : float
        Cost of a known association in the same terms, to measure steps with.
    gap : float
        Relative distance from it at which the climb ends.
    """
    reach = _reach_of(costs)
    mixed, pure, relayed = (_padded(table, reach) for table in (costs.mixed, costs.pure, costs.relayed))
    relay = _padded(costs.relay, reach)
    exempt = np.where(np.isfinite(relay), relay, 0.0).max(axis=1)  # (S, N)
    alone = _padded(costs.alone[:, None], reach)[:, :, 0]
    price = _first_prices(costs)
    best, since, step = -np.inf, 0, 1.0
    for _ in range(MOST_STEPS):
        total, taken = _relaxed(costs, reach, (mixed, pure, relayed, alone), exempt, price)
        slope = 1.0 - taken
        best, since = (total, 0) if total > best * (1 + 1e-7) else (max(best, total), since + 1)
        norm = float((slope**2).sum())
        if norm == 0.0 or value - best <= gap * abs(value) or step < 1e-3:
            break
        if since >= PATIENCE:
            step, since = 0.5 * step, 0
        price = price + step * max(value - total, 1e-9 * abs(value)) / norm * slope
    return (best + costs.rest) - ROUNDING * abs(best + costs.rest)


def _reach_of(costs: CellCosts) -> _Reach:
    order = np.argsort(costs.server, kind="stable")
    counts = np.bincount(costs.server, minlength=len(costs.servers))
    column = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    link = np.zeros((len(costs.servers), int(counts.max())), dtype=np.int64)
    there = np.full(link.shape, np.inf)
    link[costs.server[order], column] = order
    there[costs.server[order], column] = 0.0
    return _Reach(link, there)


def _padded(table: FloatArray, reach: _Reach) -> FloatArray:
    """Return a table by link, (L, N), as (S, R, N) with inf where there is no link."""
    padded: FloatArray = table[reach.link] + reach.there[:, :, None]
    return padded


def _first_prices(costs: CellCosts) -> FloatArray:
    """Return for each device its least cost where as many share a server as on the average."""
    size = min(max(round(len(costs.devices) / len(costs.servers)), 1), costs.mixed.shape[1]) - 1
    least = np.minimum(np.minimum(costs.mixed[:, size], costs.pure[:, size]), costs.relayed[:, size])
    prices = np.full(len(costs.devices), np.inf)
    np.minimum.at(prices, costs.device, least)
    return np.where(np.isfinite(prices), prices, 0.0)


def _relaxed(
    costs: CellCosts,
    reach: _Reach,
    tables: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    exempt: FloatArray,
    price: FloatArray,
) -> tuple[float, FloatArray]:
    """Return the relaxed optimum at some multipliers, and how often each device is taken, (D,)."""
    own = price[costs.device][reach.link]  # (S, R)
    mixed, pure, relayed, alone = tables
    values, orders = [], []
    for table, less in ((mixed, 0.0), (pure, 0.0), (relayed, exempt)):
        reduced = table - own[:, :, None]
        order = np.argsort(reduced, axis=1, kind="stable")
        sums = np.cumsum(np.take_along_axis(reduced, order, axis=1), axis=1)  # (S, R, N)
        values.append(_diagonal(sums) - less)
        orders.append(order)
    single = alone - own
    values.append(single.min(axis=1)[:, None])
    value = np.concatenate(values, axis=1) + costs.opening[:, None]
    chosen = value.argmin(axis=1)
    least = np.minimum(value[np.arange(len(value)), chosen], 0.0)
    taken = np.zeros(len(costs.devices))
    sizes = mixed.shape[2]
    for server in np.flatnonzero(least < 0.0).tolist():
        kind, size = divmod(int(chosen[server]), sizes)
        if kind == len(orders):
            columns = np.array([int(single[server].argmin())])
        else:
            table = (mixed, pure, relayed)[kind]
            columns = orders[kind][server, :, size]
            reduced = table[server, columns, size] - own[server, columns]
            columns = columns[: _how_many(reduced, size, last=size == sizes - 1)]
        np.add.at(taken, costs.device[reach.link[server, columns]], 1.0)
    return float(price.sum() + least.sum()), taken


def _diagonal(sums: FloatArray) -> FloatArray:
    """Return the sum of n + 1 devices in column n, (S, N); in the last one as many more as lower it."""
    num_devices, sizes = sums.shape[1:]
    found = np.full((sums.shape[0], sizes), np.inf)
    for size in range(min(sizes, num_devices)):
        found[:, size] = sums[:, size, size]
    if num_devices >= sizes:
        found[:, -1] = sums[:, sizes - 1 :, sizes - 1].min(axis=1)
    return found


def _how_many(reduced: FloatArray, size: int, *, last: bool) -> int:
    """Return how many devices were taken, in ascending order of their reduced cost."""
    return max(size + 1, int((reduced < 0).sum())) if last else size + 1
