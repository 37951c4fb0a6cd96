"""What the solvers answer: one plan with its timeline, or the front of all non-dominated plans."""

from dataclasses import dataclass

from solvers.common.arrays import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class RelayingSolution:
    """A root, its two trees, and when each transfer of a round starts and ends.

    Parameters
    ----------
    root : int
        The chosen root.
    parent : (N,) int
        To whom each node sends; -1 for the root and for nodes that are not in the plan.
    return_parent : (N,) int
        From whom each node receives the union; -1 as above, and everywhere without a way back.
    up_order, return_order : (N,) int
        Rank of the node's transfer among those of its (return) parent, from 0; -1 where there is none.
        A half-duplex parent serves its children in this order.
    leg_parent, leg_order : (N,) int
        As ``parent`` and ``up_order``, for the gather of a root leg; the same arrays unless ``own_leg_tree``.
    up_bits, leg_bits : (N,) float
        Payload of the node's own sending, bit; 0 where there is none.
    up_start_s, up_end_s, leg_start_s, leg_end_s : (N,) float
        The node's sending, s from the start of the round; NaN where there is none.
    return_start_s, return_end_s : (N,) float
        The node's reception on the way back, on the same clock; NaN where there is none.
    gather_s, leg_gather_s, return_s : float
        Seconds until the root has everything, and from then until every member has the union.
    gather_j, leg_gather_j, return_j : float
        Joules of one gather and of one way back.
    latency_s, energy_j, objective : float
        Over all round trips and root legs, see :class:`~solvers.relaying.problem.RelayingProblem`.
    """

    root: int
    parent: IntArray
    return_parent: IntArray
    leg_parent: IntArray
    up_order: IntArray
    return_order: IntArray
    leg_order: IntArray
    up_bits: FloatArray
    leg_bits: FloatArray
    up_start_s: FloatArray
    up_end_s: FloatArray
    return_start_s: FloatArray
    return_end_s: FloatArray
    leg_start_s: FloatArray
    leg_end_s: FloatArray
    gather_s: float
    leg_gather_s: float
    return_s: float
    gather_j: float
    leg_gather_j: float
    return_j: float
    latency_s: float
    energy_j: float
    objective: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Front:
    """All non-dominated plans: row k is one plan; latency rises strictly and energy falls strictly with k.

    Of plans with the same latency and energy one is kept. An empty front means that no plan exists.

    Parameters
    ----------
    latency_s, energy_j : (K,) float
    root : (K,) int
    parent, return_parent, leg_parent : (K, N) int
        As in :class:`RelayingSolution`; :func:`~solvers.relaying.evaluate.evaluate` makes row k a plan.
    """

    latency_s: FloatArray
    energy_j: FloatArray
    root: IntArray
    parent: IntArray
    return_parent: IntArray
    leg_parent: IntArray

    def __len__(self) -> int:
        return int(self.root.size)
