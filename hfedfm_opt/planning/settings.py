"""The options that every planner understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.association_rules import AssociationRule
from hfedfm_opt.planning.precision import BitsBothWays
from hfedfm_opt.planning.workers import EngineName
from hfedfm_opt.system.network import Duplex

DEFAULT_GAP = 1e-6
"""Relative gap at which a planner may stop and call its plan optimal."""


@dataclass(frozen=True, kw_only=True)
class PlannerOptions:
    """How to plan.

    Parameters
    ----------
    time_limit_s : float or None
        Wall seconds after which the best checked plan is returned; ``None``: no limit.
    gap : float
        Relative gap at which to stop, in [0, 1).
    seed : int
        Seed of random choices, >= 0.
    duplex : "as given", "full" or "half"
        Whether the devices' radios are taken as the instance says, or all of one kind.
    allocate : bool
        Whether the optimised planner also allocates bandwidth, power and CPU frequency; otherwise every link
        keeps its nominal channel and power.
    allocate_d2d : bool
        Whether that includes D2D links, decided together with the trees; otherwise they keep their nominal
        channel and power.
    allocate_uplinks, allocate_cpu : bool
        Whether that includes uplinks and CPU frequencies; otherwise uplinks keep their nominal channel and
        power, and CPUs run at their highest frequency.
    placement : str or None
        Method of ``solvers.placement`` that the optimised planner places by, once and with evenly priced
        time; ``None``: placements are decided in turns with the clusters.
    trees : str or None
        Name of the planner whose aggregators and trees the optimised planner takes; ``None``: they are
        decided.
    periods : sequence of int or None
        Candidate periods of the optimised planner when its name carries none; the best objective wins.
        ``None`` in it means never.  Empty: the instance's period.
    energy_weight_per_j, time_weight_per_s, fairness_weight_per_j : float or None
        Prices in place of the instance's.
    max_latency_s, max_energy_j, max_device_energy_j : float or None
        Limits of a round besides the instance's.
    transport_bits : int, pair of int, or mapping of str to either
        With how many bits a parameter trainable modules travel: 32, 16, 8, 4, 3, 2 or 1; a pair is of updates
        and of models on their way back; a mapping gives them by module, and others have 32.
    cloud_momentum : float
        Momentum of the cloud's averages, in [0, 1); it changes what is learned and no cost.
    association : "given", "strongest", "balanced" or "decided"
        Which server each device belongs to: its parent in the file, the server of the highest rate, so that
        no cell is crowded, or as the optimised planner decides (others then keep the file's).
    jobs : int or None
        How many pieces of work are done at a time, >= 1.  ``None``: one by processes, else as many as the
        engine's cluster has workers.  Plans are the same.
    engine : "processes", "ray" or "dask"
        Who works besides this process: see :mod:`hfedfm_opt.planning.engines`.
    """

    time_limit_s: float | None = None
    gap: float = DEFAULT_GAP
    seed: int = 0
    duplex: Duplex = "as given"
    allocate: bool = True
    allocate_d2d: bool = True
    allocate_uplinks: bool = True
    allocate_cpu: bool = True
    placement: str | None = None
    trees: str | None = None
    periods: Sequence[int | None] = ()
    energy_weight_per_j: float | None = None
    time_weight_per_s: float | None = None
    fairness_weight_per_j: float | None = None
    max_latency_s: float | None = None
    max_energy_j: float | None = None
    max_device_energy_j: float | None = None
    transport_bits: BitsBothWays | Mapping[str, BitsBothWays] = FULL_BITS
    cloud_momentum: float = 0.0
    association: AssociationRule = "given"
    jobs: int | None = None
    engine: EngineName = "processes"
