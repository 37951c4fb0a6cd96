"""Moves of devices between servers, each accepted if exact prices of the cells that it changes say so."""

import math
import time
from collections.abc import Iterator

from hfedfm_opt.planning.association_search import Cells, CellTables, moves_of
from hfedfm_opt.planning.exact_cells import CellTask, Staircase, least_value

MOST_PRICED = 300
"""Cells priced at most."""
SAMPLED = 4
"""Cells whose pricing says how long it takes."""
GAIN = 1e-7
"""Part of the value below which a gain is rounding."""
MARGIN = 0.02
"""Part of the value by which the tables may call a move worse that is tried all the same."""


class ExactCells:
    """Exact prices of cells, remembered, as far as a budget goes."""

    def __init__(self, task: CellTask, tables: CellTables, stop_at: float) -> None:
        self.task, self.tables, self.stop_at = task, tables, stop_at
        self._known: dict[tuple[int, frozenset[int]], Staircase] = {}

    def can_price(self, members: list[frozenset[int]]) -> bool:
        """Return whether all cells of an association can be priced in time, as the first few take."""
        cells = [(server, own) for server, own in enumerate(members) if own]
        if len(cells) > MOST_PRICED:
            return False
        began = time.monotonic()
        for server, own in cells[:SAMPLED]:
            self.of(server, own)
        taken_s = time.monotonic() - began
        return began + taken_s * len(cells) / min(len(cells), SAMPLED) <= self.stop_at

    def exhausted(self) -> bool:
        """Return whether nothing more may be priced."""
        return len(self._known) >= MOST_PRICED or time.monotonic() >= self.stop_at

    def of(self, server: int, members: frozenset[int]) -> Staircase:
        """Return what a cell takes."""
        key = server, members
        if key not in self._known:
            costs = self.tables.costs
            names = tuple(costs.devices[device] for device in sorted(members))
            self._known[key] = self.task.staircase(costs.servers[server], names)
        return self._known[key]

    def value(self, members: dict[int, frozenset[int]]) -> float:
        """Return the least weighted cost of a round of some cells, by server."""
        prices = self.task.network.instance.objective
        cells = [self.of(server, own) for server, own in members.items() if own]
        return least_value(cells, prices.energy_weight_per_j, prices.time_weight_per_s, self.task)


def exactly_improved(exact: ExactCells, starts: list[list[int]]) -> tuple[float, list[int]]:
    """Return the best association found by exact prices from some starts, and its value.

    Where there is no time to price all cells it is the first start, of the value inf.

    Parameters
    ----------
    exact : ExactCells
        What cells cost, and how many may be priced.
    starts : list of list of int
        Numbers of the servers of all devices; the first is looked at in any case.
    """
    found: list[tuple[float, list[int]]] = []
    if not exact.can_price(Cells(starts[0], len(exact.tables.costs.servers)).members):
        return math.inf, starts[0]
    for start in starts:
        if not found or not exact.exhausted():
            found.append(_improved(exact, Cells(start, len(exact.tables.costs.servers))))
    return min(found, key=lambda pair: pair[0])


def _improved(exact: ExactCells, cells: Cells) -> tuple[float, list[int]]:
    state = dict(enumerate(cells.members))
    value = exact.value(state)
    gained = True
    while gained and not exact.exhausted():
        gained = False
        for moves, changed in _promising(exact.tables, cells, value):
            if exact.exhausted():
                break
            after = exact.value({**state, **changed})
            if after < value * (1.0 - GAIN):
                cells.take(moves, changed)
                state, value, gained = {**state, **changed}, after, True
                break
    return value, cells.server_of


def _promising(
    tables: CellTables, cells: Cells, value: float
) -> Iterator[tuple[dict[int, int], dict[int, frozenset[int]]]]:
    """Yield moves with the cells that they change: what the tables like best comes first."""
    rated: list[tuple[float, int, dict[int, int], dict[int, frozenset[int]]]] = []
    for moves in moves_of(tables, cells):
        changed = cells.after(moves)
        before = sum(tables.cost(server, cells.members[server]) for server in changed)
        worse = sum(tables.cost(server, own) for server, own in changed.items()) - before
        if worse <= MARGIN * value:
            rated.append((worse, len(rated), moves, changed))
    rated.sort(key=lambda entry: entry[:2])
    yield from ((moves, changed) for _, _, moves, changed in rated)
