"""Which training clients share replicas, and so must take their optimiser steps together: crews.

Clients of different crews have no trained replica in common.  Crews can therefore train one after another,
with an optimiser for the replicas of one crew alone, and get the weights that they would get side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from fl_runtime.cohorts import Cohort
from fl_runtime.tasks.workload import IntArray


@dataclass(frozen=True)
class Crew:
    """Training clients of some cohorts.

    Parameters
    ----------
    members : sequence of array of int
        For each cohort: which of its training clients belong to the crew, by their place among those.
    rows : dict of str to array of int
        Of each trained module: the replicas that the crew trains, sorted.
    """

    members: Sequence[IntArray]
    rows: dict[str, IntArray]


def training_clients(cohort: Cohort) -> IntArray:
    """Return the positions of the clients that have data."""
    return np.array([place for place, held in enumerate(cohort.held) if len(held)], dtype=np.int64)


def crews_of(cohorts: Sequence[Cohort], size: int) -> list[Crew]:
    """Return crews of about ``size`` clients each, in the order of their first clients.

    A crew is larger where more clients hang together by the replicas that they share, directly or through
    others.  Cohorts that train nothing have no members.
    """
    clients = [
        training_clients(cohort)
        if any(part.trained for part in cohort.parts)
        else np.empty(0, dtype=np.int64)
        for cohort in cohorts
    ]
    counts = [len(chosen) for chosen in clients]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if not starts[-1]:
        return []
    crew_of = np.zeros(starts[-1], dtype=np.int64)
    if starts[-1] > size:
        crew_of = _packed(_components(cohorts, clients, starts), size)
    crews = []
    for number in range(int(crew_of.max()) + 1):
        members = [
            np.flatnonzero(crew_of[start : start + count] == number)
            for start, count in zip(starts[:-1], counts, strict=True)
        ]
        crews.append(Crew(members, _rows(cohorts, clients, members)))
    return crews


def _components(cohorts: Sequence[Cohort], clients: Sequence[IntArray], starts: IntArray) -> IntArray:
    """Return for each client of all cohorts the number of its component, (clients,)."""
    offsets: dict[str, int] = {}
    num_points = int(starts[-1])
    ends, others = [], []
    for cohort, chosen, start in zip(cohorts, clients, starts[:-1], strict=True):
        for part in cohort.parts:
            if part.trained and len(chosen):
                if part.module not in offsets:
                    offsets[part.module] = num_points
                    num_points += 1 + _last_row(cohorts, part.module)
                ends.append(start + np.arange(len(chosen)))
                others.append(offsets[part.module] + part.rows[chosen])
    pairs = (np.concatenate(ends), np.concatenate(others))
    graph = sparse.coo_array((np.ones(len(pairs[0]), dtype=np.int8), pairs), shape=(num_points, num_points))
    component: IntArray = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    return component[: starts[-1]]


def _last_row(cohorts: Sequence[Cohort], module: str) -> int:
    rows = [part.rows for cohort in cohorts for part in cohort.parts if part.module == module]
    return max(int(found.max()) for found in rows)


def _packed(component: IntArray, size: int) -> IntArray:
    """Return the crew of each client: components in their order, whole, about ``size`` clients a crew."""
    _, number, counts = np.unique(component, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    crew: IntArray = np.unique(before // size, return_inverse=True)[1]
    return crew[number].astype(np.int64)


def _rows(
    cohorts: Sequence[Cohort], clients: Sequence[IntArray], members: Sequence[IntArray]
) -> dict[str, IntArray]:
    used: dict[str, list[IntArray]] = {}
    for cohort, chosen, own in zip(cohorts, clients, members, strict=True):
        for part in cohort.parts:
            if part.trained and len(own):
                used.setdefault(part.module, []).append(part.rows[chosen[own]])
    return {module: np.unique(np.concatenate(rows)) for module, rows in used.items()}
