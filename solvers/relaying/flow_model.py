"""The multicommodity-flow form of one phase, as a mixed-integer program for HiGHS.

Sets: members v, links l. Variables: x_l whether the tree uses a link, f_vl whether the path of v does, and the
makespan T. Minimise ``sum of price_l x_l + time_price T`` such that

    each member has one link out, each relay at most one                                           (1)
    the path of v leaves v, enters the root, and passes through all others                         (2)
    f_vl <= x_l                                                                                    (3)
    T >= ready_v + sum of seconds_l f_vl                                                           (4)
    T >= sum of seconds_l x_l over the links into a node in series, + its path                     (5)
    at most max_root_children links into the root, at most max_hops on each path                   (6)

With least payloads, and without the orders of receptions, this is a relaxation. In full duplex with the same
items everywhere, and without broadcasts, it is the problem itself.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.errors import BackendFailure
from solvers.relaying.phase import NO_LIMIT, Phase

SCALE = 1000.0
"""Value of the target in the program's units, which HiGHS's absolute tolerances are small against."""
TOLERANCE = 2e-6
"""Part by which the bound is lowered: HiGHS keeps rows to 1e-6 and reduced costs to 1e-7 (absolute)."""
_GAP = 1e-6
_SOLVED, _LIMIT, _INFEASIBLE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class FlowAnswer:
    """What HiGHS found.

    Parameters
    ----------
    links : (N,) int or None
        The link of each node in the best tree; -1 for none.
    bound : float
        Below every tree of the phase that costs no more than the target.
    finished : bool
        Whether the search ended by itself.
    """

    links: IntArray | None
    bound: float
    finished: bool


def is_exact(phase: Phase) -> bool:
    """Return whether the program is the problem itself: its clock and its prices are those of the tree."""
    connects = phase.member | phase.relay
    connects[phase.root] = True
    return phase.is_plain and not phase.half_duplex[connects].any()


def num_variables(phase: Phase, num_links: int) -> int:
    """Return how many variables the program has over some of the links."""
    return num_links * (int(phase.member.sum()) + 1) + 1


def solve_flow(phase: Phase, kept: IntArray, target: float, time_limit_s: float) -> FlowAnswer:
    """Search the trees over the links ``kept``, of which one costs at most ``target``."""
    scale = SCALE / target if target > 0 else 1.0
    ends = np.flatnonzero(phase.member)
    price = scale * phase.least_price[kept]
    cost = np.concatenate([price, np.zeros(ends.size * kept.size), [scale * phase.time_price]])
    rows = _Rows(cost.size)
    _add_trees(rows, phase, kept, ends)
    _add_clock(rows, phase, kept, ends)
    whole = np.concatenate([np.ones(kept.size), np.zeros(cost.size - kept.size)])
    upper = np.ones(cost.size)
    upper[-1] = np.inf
    matrix, low, high = rows.matrix()
    answer = optimize.milp(
        cost,
        integrality=whole,
        bounds=optimize.Bounds(np.zeros(cost.size), upper),
        constraints=optimize.LinearConstraint(matrix, low, high),
        options={"mip_rel_gap": _GAP, "time_limit": time_limit_s},
    )
    if answer.status == _INFEASIBLE:
        return FlowAnswer(None, np.inf, finished=True)
    if answer.status not in (_SOLVED, _LIMIT):
        raise BackendFailure(f"HiGHS ended with status {answer.status}: {answer.message}")
    claimed = answer.get("mip_dual_bound")
    known = claimed is not None and np.isfinite(claimed)
    bound = float(claimed) / scale * (1.0 - TOLERANCE) if known else -np.inf
    return FlowAnswer(_links(phase, kept, answer.x), bound, finished=answer.status == _SOLVED)


class _Rows:
    """Rows of a sparse program, as they are added."""

    def __init__(self, num_variables: int) -> None:
        self._num_variables, self._num_rows = num_variables, 0
        self._row: list[IntArray] = []
        self._column: list[IntArray] = []
        self._value: list[FloatArray] = []
        self._low: list[FloatArray] = []
        self._high: list[FloatArray] = []

    def new(self, low: FloatArray, high: FloatArray) -> IntArray:
        """Add empty rows and return their numbers."""
        self._low.append(low)
        self._high.append(high)
        self._num_rows += low.size
        return np.arange(self._num_rows - low.size, self._num_rows)

    def put(self, row: IntArray, column: IntArray, value: FloatArray) -> None:
        """Set coefficients."""
        self._row.append(row)
        self._column.append(column)
        self._value.append(np.broadcast_to(value, row.shape).astype(np.float64))

    def matrix(self) -> tuple[sparse.csr_array, FloatArray, FloatArray]:
        """Return the rows and their limits."""
        entries = (np.concatenate(self._row), np.concatenate(self._column))
        shape = (self._num_rows, self._num_variables)
        matrix = sparse.coo_array((np.concatenate(self._value), entries), shape=shape).tocsr()
        return matrix, np.concatenate(self._low), np.concatenate(self._high)


def _flow(ends: IntArray, kept: IntArray) -> IntArray:
    """Return the columns of the flows, (ends, links)."""
    return kept.size * (1 + np.arange(ends.size))[:, None] + np.arange(kept.size)[None, :]


def _add_trees(rows: _Rows, phase: Phase, kept: IntArray, ends: IntArray) -> None:
    child, parent = phase.child[kept], phase.parent[kept]
    links = np.arange(kept.size)
    out = rows.new(phase.member.astype(float), (phase.member | phase.relay).astype(float))  # (1)
    rows.put(out[child], links, np.ones(kept.size))
    flow = _flow(ends, kept)
    away = np.zeros((ends.size, phase.num_nodes))
    away[np.arange(ends.size), ends] = 1.0
    away[:, phase.root] = -1.0
    balance = rows.new(away.ravel(), away.ravel()).reshape(away.shape)  # (2)
    rows.put(balance[:, child].ravel(), flow.ravel(), np.ones(flow.size))
    rows.put(balance[:, parent].ravel(), flow.ravel(), -np.ones(flow.size))
    within = rows.new(np.full(flow.size, -np.inf), np.zeros(flow.size))  # (3)
    rows.put(within, flow.ravel(), np.ones(flow.size))
    rows.put(within, np.tile(links, ends.size), -np.ones(flow.size))
    if phase.max_root_children < NO_LIMIT:  # (6)
        to_root = links[parent == phase.root]
        row = rows.new(np.array([-np.inf]), np.array([float(phase.max_root_children)]))
        rows.put(np.repeat(row, to_root.size), to_root, np.ones(to_root.size))
    if phase.max_hops < NO_LIMIT:
        row = rows.new(np.full(ends.size, -np.inf), np.full(ends.size, float(phase.max_hops)))
        rows.put(np.repeat(row, kept.size), flow.ravel(), np.ones(flow.size))


def _add_clock(rows: _Rows, phase: Phase, kept: IntArray, ends: IntArray) -> None:
    last = kept.size * (1 + ends.size)
    seconds, parent = phase.least_s[kept], phase.parent[kept]
    flow = _flow(ends, kept)
    late = rows.new(phase.ready_s[ends], np.full(ends.size, np.inf))  # (4)
    rows.put(np.repeat(late, kept.size), flow.ravel(), -np.tile(seconds, ends.size))
    rows.put(late, np.full(ends.size, last), np.ones(ends.size))
    at_root = rows.new(np.array([phase.ready_s[phase.root]]), np.array([np.inf]))
    rows.put(at_root, np.array([last]), np.ones(1))
    for node in np.flatnonzero(phase.half_duplex).tolist():  # (5)
        received = np.flatnonzero(parent == node)
        if received.size == 0 or not (phase.member[node] or node == phase.root):
            continue
        row = rows.new(np.zeros(1), np.array([np.inf]))
        rows.put(np.repeat(row, received.size), received, -seconds[received])
        rows.put(row, np.array([last]), np.ones(1))
        if node != phase.root:
            path = flow[np.searchsorted(ends, node)]
            rows.put(np.repeat(row, kept.size), path, -seconds)


def _links(phase: Phase, kept: IntArray, values: FloatArray | None) -> IntArray | None:
    if values is None:
        return None
    used = kept[values[: kept.size] > 0.5]
    links = np.full(phase.num_nodes, -1)
    links[phase.child[used]] = used
    return links
