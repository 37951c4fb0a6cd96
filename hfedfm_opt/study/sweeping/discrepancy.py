"""How much the replicas of a module differ across clusters, per bit that its cloud leg costs.

After a round in which every cluster averages for itself, the replicas of a module differ from one cluster to
the next by what the cloud would have levelled.  The discrepancy of module m is

    d_m = sum over clusters c of w_c |x_cm - mean_m|^2,    mean_m = sum over c of w_c x_cm,

with w_c the cluster's share of the samples. FedLAMA (Lee et al. 2021, arXiv:2110.10302) divides
it by the module's parameters, the cost of averaging it; here it is divided by the bits of its cloud leg. A
module with little discrepancy per bit is one that the cloud averages for little: it gets the longer period.
A module whose cloud leg costs no bits has an infinite one, and its period is never made longer.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fl_runtime.learn import learn
from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.module_periods import with_periods
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.sweeping.candidates import Candidate, Period

MAX_PREFIXES = 3
"""How many of the least discrepant sets of modules are tried with a longer period."""
FREE_SHARE = 0.01
"""Modules that together have at most this share of all bits cost next to nothing at 32 bits."""


@dataclass(frozen=True)
class Discrepancy:
    """What a short run measured of a module.

    Parameters
    ----------
    module : str
        Its id.
    squared : float
        d_m, in squared units of parameters.
    bits : float
        Bits of its state at 32 bits a parameter, as instance and clock count them.
    """

    module: str
    squared: float
    bits: float

    @property
    def per_bit(self) -> float:
        """Discrepancy per bit of the cloud leg; infinite where that leg costs none."""
        return self.squared / self.bits if self.bits > 0 else math.inf


def measure_discrepancy(plan: Plan, seed: int = 0, rounds: int = 3) -> tuple[Discrepancy, ...]:
    """Return the discrepancy of each trainable module, least per bit first.

    One short run is made, in which the cloud averages once, in the last round but one.

    Parameters
    ----------
    plan : Plan
        A plan that reaches the cloud; its periods are replaced.
    seed : int
        Seed of the run.
    rounds : int
        Rounds of the run, >= 2.
    """
    names = [entry.module for entry in plan.decisions.periods]
    schedule = with_periods(plan, dict.fromkeys(names, rounds - 1)).compile(rounds)
    state = learn(schedule, None, seed).state
    weight_of = {(replica.module, replica.host): replica.weight for replica in schedule.replicas}
    hosts_of = {name: [r.host for r in schedule.replicas if r.module == name] for name in names}
    found = [
        Discrepancy(
            module=name,
            squared=_squared(
                plan, state[name], hosts_of[name], {h: weight_of[name, h] for h in hosts_of[name]}
            ),
            bits=plan.network.state_bits(name),
        )
        for name in names
        if name in state
    ]
    return tuple(sorted(found, key=lambda one: (one.per_bit, one.squared)))


def _squared(
    plan: Plan, rows: npt.NDArray[np.float32], hosts: Sequence[str], weight_of: Mapping[str, float]
) -> float:
    models, weights = [], []
    for cluster in plan.decisions.clusters:
        members = [host for host in cluster.members if host in weight_of and weight_of[host] > 0]
        if members:
            models.append(rows[hosts.index(members[0])].astype(np.float64))  # equal within the cluster
            weights.append(sum(weight_of[host] for host in members))
    share = np.array(weights) / sum(weights)
    states = np.array(models)  # (clusters, size)
    return float(share @ ((states - share @ states) ** 2).sum(axis=1))


def with_module_periods(
    candidate: Candidate, measured: Sequence[Discrepancy], factor: int = 2
) -> Iterator[Candidate]:
    """Yield candidates in which the least discrepant modules per bit have a period ``factor`` times as long.

    Parameters
    ----------
    candidate : Candidate
        One with the same period of all modules.
    measured : sequence of Discrepancy
        Least per bit first.
    factor : int
        >= 2.
    """
    period_of: dict[str, Period] = dict(candidate.periods)
    costly = [one.module for one in measured if math.isfinite(one.per_bit)]
    longest = len(costly) - (len(costly) == len(period_of))  # all of them would be a longer common period
    for size in range(1, min(longest, MAX_PREFIXES) + 1):
        slow = set(costly[:size])
        yield replace(
            candidate,
            periods=tuple(
                (name, period * factor if name in slow and period is not None else period)
                for name, period in period_of.items()
            ),
        )


def with_free_modules_full(candidate: Candidate, measured: Sequence[Discrepancy]) -> Candidate:
    """Return the candidate with 32 bits a parameter for modules that cost next to nothing.

    Taken are the modules of most discrepancy per bit, as long as they have at most ``FREE_SHARE`` of all
    bits.

    Parameters
    ----------
    candidate : Candidate
        Any.
    measured : sequence of Discrepancy
        Least per bit first.
    """
    allowed = FREE_SHARE * sum(one.bits for one in measured)
    free: set[str] = set()
    for one in reversed(measured):
        allowed -= one.bits
        if allowed < 0:
            break
        free.add(one.module)
    full = (FULL_BITS, FULL_BITS)
    return replace(
        candidate, bits=tuple((name, full if name in free else both) for name, both in candidate.bits)
    )
