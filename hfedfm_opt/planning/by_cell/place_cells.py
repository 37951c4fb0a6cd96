"""The exact placement of each cell under given prices: what the server hosts, and what each device keeps.

Above the servers memory is unlimited, so that a module that leaves goes to its server, if that hosts it, or
to its cheapest node above.  With the modules S that the server of a cell hosts, its devices do not touch each
other: device d keeps the modules H at home that fit into its memory, and pays

    f_d(S) = min over H of  home_d(H) + sum over i not in H of min(above_di, server_di if i in S).

With ``k(U) = min over H in U, H fits, of home_d(H) - above_d(H)`` this is the least over T in S of
``server_d(T) + above_d(not T) + k(not T)``: two minima over all subsets, which take m passes over an array of
2^m values for all devices at once.  The server hosts the S that fits of least ``sum over d of f_d(S)``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.by_cell.ways import HOME, SERVER, Group, Ways
from solvers.common.arrays import FloatArray, IntArray

MOST_VALUES = 2**20
"""Values of an array that is worked on at once."""
FORBIDDEN = 1e6
"""Cost of what is impossible, in largest costs: larger than any sum of others, small enough to round well."""


@dataclass(frozen=True)
class GroupCosts:
    """What the ways of a group cost.

    Parameters
    ----------
    way : (D, m, W) float
        Each way to run each module that may leave; ``inf`` where it may not run.
    stay : (D,) float
        The modules that stay in any case, where some leave.
    whole : (D,) float
        All modules together, where the device runs them all; ``inf`` where it may not.
    """

    way: FloatArray
    stay: FloatArray
    whole: FloatArray


@dataclass(frozen=True)
class PlacedCells:
    """The placement of least priced cost of all cells.

    Parameters
    ----------
    way : tuple of (D, m) int
        For each group, the way of each module of each device.
    cost : (cells,) float
        Least priced cost of each cell; ``inf`` where nothing fits.
    """

    way: tuple[IntArray, ...]
    cost: FloatArray


def modules_of(ways: Ways) -> tuple[str, ...]:
    """Return all modules that may leave some device, in the order in which groups name them."""
    return tuple(dict.fromkeys(name for group in ways.groups for name in group.modules))


def place_cells(ways: Ways, costs: Sequence[GroupCosts]) -> PlacedCells:
    """Return the placement of least cost of each cell.

    Parameters
    ----------
    ways : Ways
        Who may run what.
    costs : sequence of GroupCosts
        For each group.
    """
    names = modules_of(ways)
    forbidden = FORBIDDEN * max((_largest(cost) for cost in costs), default=1.0)
    possible = [np.where(np.isfinite(cost.way), cost.way, forbidden) for cost in costs]
    total = np.zeros((len(ways.server_bytes), 2 ** len(names)))
    for group, cost, way in zip(ways.groups, costs, possible, strict=True):
        spread = _spread(group, names)
        for rows in _blocks(len(group.devices), len(group.modules)):
            table = _least_costs(group, way[rows], (cost.whole - cost.stay)[rows], rows)
            table += cost.stay[rows, None]
            _add_by_cell(total, ways.cell[group.devices[rows]], table, spread)
    sizes = subset_sums(np.array([[_bytes_of(ways)[name] for name in names]]).reshape(1, -1))[0]
    total[sizes[None, :] > ways.server_bytes[:, None]] = np.inf
    hosted = total.argmin(axis=1)
    least = total[np.arange(len(total)), hosted]
    chosen = tuple(
        _chosen(group, cost, way, _spread(group, names)[hosted[ways.cell[group.devices]]])
        for group, cost, way in zip(ways.groups, costs, possible, strict=True)
    )
    return PlacedCells(chosen, np.where(least < 0.5 * forbidden, least, np.inf))


def subset_sums(values: FloatArray) -> FloatArray:
    """Return the sums of all subsets of each row, (n, 2^m) of (n, m); bit i of a column says if i is in."""
    num_rows, num_items = values.shape
    sums = np.zeros((num_rows, 2**num_items))
    for item in range(num_items):
        np.add(sums[:, : 2**item], values[:, item, None], out=sums[:, 2**item : 2 ** (item + 1)])
    return sums


def least_of_subsets(values: FloatArray, num_items: int) -> FloatArray:
    """Return for each set the least value of its subsets, (n, 2^m), in place."""
    for item in range(num_items):
        halves = values.reshape(len(values), -1, 2, 2**item)
        np.minimum(halves[:, :, 1], halves[:, :, 0], out=halves[:, :, 1])
    return values


def _largest(cost: GroupCosts) -> float:
    finite = cost.way[np.isfinite(cost.way)]
    return max(float(np.abs(finite).max(initial=0.0)), float(np.abs(cost.stay).max(initial=0.0)), 1e-300)


def _bytes_of(ways: Ways) -> dict[str, float]:
    return {
        name: float(size)
        for group in ways.groups
        for name, size in zip(group.modules, group.bytes_of, strict=True)
    }


def _blocks(num_rows: int, num_items: int) -> Iterator[slice]:
    step = max(1, MOST_VALUES >> num_items)
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def _least_costs(group: Group, way: FloatArray, whole: FloatArray, rows: slice) -> FloatArray:
    """Return f_d(S) for all sets S of the group's modules, (n, 2^m)."""
    num_items = len(group.modules)
    above = _above(way)
    kept = _kept_costs(group, way[:, :, HOME] - above, whole - above.sum(axis=1), rows)
    kept = least_of_subsets(kept, num_items)
    sent = subset_sums(way[:, :, SERVER] - above)
    sent += kept[:, ::-1]  # what is not sent: the complement
    sent += above.sum(axis=1)[:, None]
    return least_of_subsets(sent, num_items)


def _above(way: FloatArray) -> FloatArray:
    """Return the cost of each module's cheapest node above the server, (n, m)."""
    least: FloatArray = way[:, :, SERVER + 1 :].min(axis=2)
    return least


def _kept_costs(group: Group, home: FloatArray, whole: FloatArray, rows: slice) -> FloatArray:
    """Return what each set of modules kept at home costs beyond their being away, (n, 2^m)."""
    kept = subset_sums(home)
    np.minimum(kept[:, -1], whole, out=kept[:, -1])
    sizes = subset_sums(group.bytes_of[None])
    kept[sizes > group.free_bytes[rows, None]] = np.inf
    return kept


def _spread(group: Group, names: Sequence[str]) -> IntArray:
    """Return for each set of all modules the part of it that the group has, (2^M,)."""
    place_of = {name: place for place, name in enumerate(group.modules)}
    sets = np.arange(2 ** len(names))
    found = np.zeros(len(sets), dtype=np.int64)
    for bit, name in enumerate(names):
        if name in place_of:
            found |= ((sets >> bit) & 1) << place_of[name]
    return found


def _add_by_cell(total: FloatArray, cell: IntArray, table: FloatArray, spread: IntArray) -> None:
    """Add the rows of devices to their cells."""
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    total[cells] += np.add.reduceat(table[order], starts, axis=0)[:, spread]


def _chosen(group: Group, cost: GroupCosts, way: FloatArray, hosted: IntArray) -> IntArray:
    """Return the ways of least cost, (D, m), with the sets of the group's modules that the servers host."""
    num_items = len(group.modules)
    there = ((hosted[:, None] >> np.arange(num_items)) & 1) == 1  # (D, m)
    remote = way[:, :, SERVER:].copy()
    remote[:, :, 0] = np.where(there, remote[:, :, 0], np.inf)
    found: IntArray = remote.argmin(axis=2) + SERVER
    away = remote.min(axis=2)
    for rows in _blocks(len(group.devices), num_items):
        whole = (cost.whole - cost.stay)[rows] - away[rows].sum(axis=1)
        kept = _kept_costs(group, way[rows, :, HOME] - away[rows], whole, rows)
        stays = ((kept.argmin(axis=1)[:, None] >> np.arange(num_items)) & 1) == 1
        found[rows] = np.where(stays, HOME, found[rows])
    return found
