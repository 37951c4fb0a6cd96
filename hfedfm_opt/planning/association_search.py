"""Local search for an association over tables of least costs: devices move, and change places in pairs."""

import time
from collections.abc import Iterator, Mapping

import numpy as np

from hfedfm_opt.planning.association_costs import CellCosts

GAIN = 1e-9
"""Part of the value below which a gain is rounding."""
MOST_SWEEPS = 50
"""Passes over all moves."""


class CellTables:
    """Costs of cells, remembered, from tables by device."""

    def __init__(self, costs: CellCosts) -> None:
        self.costs = costs
        self.link_of = {
            (device, server): link
            for link, (device, server) in enumerate(
                zip(costs.device.tolist(), costs.server.tolist(), strict=True)
            )
        }
        self.reach: list[list[int]] = [[] for _ in costs.devices]
        for device, server in self.link_of:
            self.reach[device].append(server)
        self._known: dict[tuple[int, frozenset[int]], float] = {}

    def cost(self, server: int, members: frozenset[int]) -> float:
        """Return the least cost of a cell in the cheapest way to average; an empty one costs nothing."""
        if not members:
            return 0.0
        key = server, members
        if key not in self._known:
            self._known[key] = self._cost(server, members)
        return self._known[key]

    def _cost(self, server: int, members: frozenset[int]) -> float:
        costs = self.costs
        links = [self.link_of[device, server] for device in sorted(members)]
        size = min(len(links), costs.mixed.shape[1]) - 1
        mixed = costs.mixed[links, size].sum()
        pure = costs.pure[links, size].sum()
        relayed = costs.relayed[links, size].sum() - costs.relay[links, size].max()
        least = min(float(mixed), float(pure), float(relayed))
        if len(links) == 1:
            least = min(least, float(costs.alone[links[0]]))
        return least + float(costs.opening[server])


class Cells:
    """An association that is being changed: the members of each server."""

    def __init__(self, server_of: list[int], num_servers: int) -> None:
        self.server_of = list(server_of)
        found: list[set[int]] = [set() for _ in range(num_servers)]
        for device, server in enumerate(server_of):
            found[server].add(device)
        self.members = [frozenset(own) for own in found]

    def after(self, moves: dict[int, int]) -> dict[int, frozenset[int]]:
        """Return the members of the cells that some moves change, by server."""
        changed: dict[int, set[int]] = {}
        for device, server in moves.items():
            changed.setdefault(self.server_of[device], set(self.members[self.server_of[device]]))
            changed.setdefault(server, set(self.members[server]))
        for device in moves:
            changed[self.server_of[device]].discard(device)
        for device, server in moves.items():
            changed[server].add(device)
        return {server: frozenset(own) for server, own in changed.items()}

    def take(self, moves: dict[int, int], changed: dict[int, frozenset[int]]) -> None:
        """Make some moves."""
        for device, server in moves.items():
            self.server_of[device] = server
        for server, own in changed.items():
            self.members[server] = own


def moves_of(tables: CellTables, cells: Cells) -> Iterator[dict[int, int]]:
    """Yield the moves from a state that may change on the way: each device elsewhere, then pairs swapped."""
    num_devices = len(cells.server_of)
    for device in range(num_devices):
        for server in tables.reach[device]:
            if server != cells.server_of[device]:
                yield {device: server}
    for device in range(num_devices):
        for server in tables.reach[device]:
            own = cells.server_of[device]
            if server == own:
                continue
            for other in sorted(cells.members[server]):
                if other > device and (other, own) in tables.link_of:
                    yield {device: server, other: own}
                    if cells.server_of[device] != own:
                        break


def improved(tables: CellTables, start: list[int], stop_at: float) -> tuple[float, list[int]]:
    """Return the cost of an association that no move or swap betters, and it.

    Parameters
    ----------
    tables : CellTables
        What cells cost.
    start : list of int
        Number of the server of each device.
    stop_at : float
        On the monotonic clock, when to end.
    """
    cells = Cells(start, len(tables.costs.servers))
    total = sum(tables.cost(server, own) for server, own in enumerate(cells.members))
    for _ in range(MOST_SWEEPS):
        gained = False
        for moves in moves_of(tables, cells):
            if time.monotonic() >= stop_at:
                return total, cells.server_of
            changed = cells.after(moves)
            before = sum(tables.cost(server, cells.members[server]) for server in changed)
            after = sum(tables.cost(server, own) for server, own in changed.items())
            if after < before - GAIN * abs(total):
                cells.take(moves, changed)
                total, gained = total + after - before, True
        if not gained:
            break
    return total, cells.server_of


def numbered(devices: tuple[str, ...], servers: tuple[str, ...], server_of: Mapping[str, str]) -> list[int]:
    """Return an association by numbers: that of the server of each device."""
    number = {name: place for place, name in enumerate(servers)}
    return [number[server_of[device]] for device in devices]


def value_of(tables: CellTables, server_of: list[int]) -> float:
    """Return the cost of an association in the terms of the tables."""
    cells = Cells(server_of, len(tables.costs.servers))
    return float(np.sum([tables.cost(server, own) for server, own in enumerate(cells.members)]))
