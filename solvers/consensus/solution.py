"""What a consensus solver answers: the weights, how fast they mix, and what a sweep takes."""

from dataclasses import dataclass

from solvers.common.arrays import FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsensusSolution:
    """Weights of the edges, evaluated from the problem's arrays.

    Parameters
    ----------
    weight : (E,) float
        Weight of each edge; an edge of weight 0 carries nothing.
    matrix : (N, N) float
        ``W``: exactly symmetric; each diagonal entry is one minus the weights of the node's edges.
    factor : float
        Largest absolute eigenvalue of ``W`` but that of the mean: the distance left after one sweep.
    num_sweeps : int
        Fewest sweeps after which at most ``accuracy`` of the initial distance is left, whatever the values.
    start_s, end_s : (E, 2) float
        When each transfer of a sweep starts and ends, s from the start of the sweep; NaN for unused edges.
    sweep_s, sweep_j : float
        Seconds and joules of one sweep.
    latency_s, energy_j : float
        Those of all sweeps.
    """

    weight: FloatArray
    matrix: FloatArray
    factor: float
    num_sweeps: int
    start_s: FloatArray
    end_s: FloatArray
    sweep_s: float
    sweep_j: float
    latency_s: float
    energy_j: float
