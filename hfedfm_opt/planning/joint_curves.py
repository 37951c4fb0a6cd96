"""Energy of clusters in which everything is decided at once, as a function of the time that they have.

Small clusters are solved within each deadline that is asked for.  The trees of larger ones are searched at
some prices of time, once: what was found are points, and what is proven are lines below all plans.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from hfedfm_opt.planning.joint_group import Asked, Group, Memories, begin, solve_limits
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.joint_search import (
    JointPoint,
    Searched,
    SearchTask,
    is_searched,
    search_trees,
    shape_of,
)
from hfedfm_opt.planning.workers import ALONE, Workers, wall_time

THREADS = 2
"""Threads of the solver where this process works alone."""
LEAST_CLUSTERS_TO_SEND = 1000
"""Clusters of one shape below which all are solved here: they share each step, and threads share them."""


class JointCurves:
    """The curves of several clusters; those of the same size are solved in one call.

    Parameters
    ----------
    clusters : mapping of int to JointCluster
        By any number that names them.
    second_j : float
        What a second is worth, J: the highest price of time at which larger clusters are searched.
    gap : float
        Relative gap of the joules at which to stop.
    stop_at : float
        Time of ``time.monotonic()`` after which nothing more is searched.
    workers : Workers
        Who solves; the answers are the same.
    bounded : bool
        Whether larger clusters need lines as well as plans; without, only zero is below all plans.
    """

    def __init__(
        self,
        clusters: Mapping[int, JointCluster],
        second_j: float,
        gap: float,
        stop_at: float = math.inf,
        workers: Workers = ALONE,
        *,
        bounded: bool = True,
    ) -> None:
        self.clusters, self._bounded = clusters, bounded
        self._second_j, self._gap = second_j, gap
        self._end_time, self._workers = wall_time(stop_at), workers
        self._memories = Memories.empty()
        self._known: dict[tuple[int, float], JointPoint] = {}
        self._searched = self._search([name for name in clusters if is_searched(clusters[name].problem)])
        self._least_s = {name: (found.least_s, 0.0) for name, found in self._searched.items()}
        self._begin([name for name in clusters if name not in self._searched])

    def least_s(self, name: int) -> tuple[float, float]:
        """Return the seconds of the fastest plan found, and a bound on those of any plan."""
        return self._least_s[name]

    def is_proven(self, name: int) -> bool:
        """Return whether all trees of a cluster are bounded, not only searched."""
        return name not in self._searched

    def price(self, asked: Iterable[tuple[int, float]]) -> list[JointPoint]:
        """Return what is known of each (cluster, seconds); what is asked for again is remembered."""
        keys = list(asked)
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        for name, seconds in new:
            if name in self._searched:
                self._known[name, seconds] = self._searched[name].at(seconds)
            elif seconds < self._least_s[name][1]:
                self._known[name, seconds] = JointPoint(math.inf, math.inf, 0.0, None)
        self._solve([key for key in new if key not in self._known])
        return [self._known[key] for key in keys]

    def _search(self, names: Sequence[int]) -> dict[int, Searched]:
        """Search the trees of larger clusters."""
        threads = THREADS if self._workers is ALONE else 1
        tasks = [
            SearchTask(self.clusters[name], self._second_j, self._end_time, threads, self._bounded)
            for name in names
        ]
        return dict(zip(names, self._workers.map(search_trees, tasks), strict=True))

    def _begin(self, names: Sequence[int]) -> None:
        """Find the fastest plans of clusters, and those that are the best at some prices of time."""
        parts = self._parts(names)
        for part, (least_s, memories) in zip(parts, self._workers.map(begin, parts), strict=True):
            self._least_s |= least_s
            self._take(part, memories)

    def _solve(self, keys: Sequence[tuple[int, float]]) -> None:
        asked = [
            Asked(part, tuple(key for key in keys if key[0] in part.clusters))
            for part in self._parts(dict.fromkeys(name for name, _ in keys))
        ]
        for one, (points, memories) in zip(asked, self._workers.map(solve_limits, asked), strict=True):
            self._known |= dict(zip(one.limits, points, strict=True))
            self._take(one.group, memories)

    def _take(self, part: Group, memories: Memories) -> None:
        if memories is not self._memories:
            self._memories.take(memories, list(part.clusters))

    def _parts(self, names: Iterable[int]) -> list[Group]:
        """Return clusters in groups that are solved together, large ones in parts for the workers."""
        parts: list[Group] = []
        for group in self._groups(names):
            own = list(group.clusters)
            num_parts = 1 if len(own) < LEAST_CLUSTERS_TO_SEND else self._workers.jobs
            size = math.ceil(len(own) / num_parts)
            begins = range(0, len(own), size)
            parts += [group] if num_parts == 1 else [group.part(own[at : at + size]) for at in begins]
        return parts

    def _groups(self, names: Iterable[int]) -> list[Group]:
        """Return clusters in groups that are solved together."""
        groups: dict[tuple[int, int, bool], dict[int, JointCluster]] = {}
        for name in names:
            cluster = self.clusters[name]
            groups.setdefault(shape_of(cluster.problem), {})[name] = cluster
        return [
            Group(clusters, self._memories, self._second_j, self._gap, self._end_time, THREADS)
            for clusters in groups.values()
        ]
