"""Plans in which the cloud averages each module at a period of its own.

The planners decide trees and resources for one period of all modules. Such a plan stays sound when single
modules take the cloud leg in other rounds: trees, shares of bands and powers do not depend on what is due.
So the plans of the shortest and of the longest period that is asked for are taken over, and the cheaper one
is kept; it is checked and priced anew, and nothing is claimed about better ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.planner import plan_each
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.system.decisions import ModulePeriod
from hfedfm_opt.system.instance import Instance
from solvers.common import Status, StopReason

PROOF = "no bound: planned for one period of all modules, then priced with a period of each"


class UnknownModule(ValueError):
    """A period for a module that is not trainable, or none for one that is."""


def plan_with_periods(
    instance: Instance, planner: str, period_of: Mapping[str, int | None], options: PlannerOptions
) -> PlanResult:
    """Return a checked plan in which each trainable module has its own period.

    Parameters
    ----------
    instance : Instance
        What is given.
    planner : str
        Name of a planner that takes a period, without one.
    period_of : mapping of str to int or None
        Period of each trainable module; ``None``: never.
    options : PlannerOptions
        How to plan.

    Returns
    -------
    PlanResult
        Without a plan where none of the plans that were taken over keeps the limits.

    Raises
    ------
    UnknownModule
        If the periods are not those of the trainable modules.
    """
    return plan_each_with_periods(instance, planner, [(period_of, options)])[0]


def plan_each_with_periods(
    instance: Instance,
    planner: str,
    asked: Sequence[tuple[Mapping[str, int | None], PlannerOptions]],
) -> list[PlanResult]:
    """Return the plan of :func:`plan_with_periods` for each periods and options, with the same workers."""
    names = [_planners(instance, planner, period_of) for period_of, _ in asked]
    jobs = [(instance, name, options) for own, (_, options) in zip(names, asked, strict=True) for name in own]
    found = iter(plan_each(jobs, jobs[0][2].jobs, jobs[0][2].engine) if jobs else ())
    return [
        _cheapest([next(found) for _ in own], period_of)
        for own, (period_of, _) in zip(names, asked, strict=True)
    ]


def _planners(instance: Instance, planner: str, period_of: Mapping[str, int | None]) -> list[str]:
    """Return the planners, with one period each, whose plans are taken over."""
    trainable = [module.id for module in instance.modules if module.trainable]
    if set(period_of) != set(trainable):
        raise UnknownModule(
            f"periods are given for {', '.join(sorted(period_of)) or 'no module'}, must be for the trainable "
            f"modules: {', '.join(trainable)}"
        )
    periods = sorted({*period_of.values()}, key=lambda period: (period is None, period or 0))
    if len(periods) == 1:
        return [f"{planner}:{period_name(periods[0])}"]
    whole = [period for period in periods if period is not None]
    return [f"{planner}:{period}" for period in dict.fromkeys((whole[0], whole[-1]))]


def _cheapest(found: Sequence[PlanResult], period_of: Mapping[str, int | None]) -> PlanResult:
    if len(set(period_of.values())) == 1:
        return found[0]
    return min((_taken_over(result, period_of) for result in found), key=lambda result: result.objective)


def with_periods(original: Plan, period_of: Mapping[str, int | None]) -> Plan:
    """Return a plan with a period of each trainable module, without a claim.

    Parameters
    ----------
    original : Plan
        One that reaches the cloud, if any module is to reach it.
    period_of : mapping of str to int or None
        Period of each trainable module; ``None``: never.
    """
    periods = tuple(
        ModulePeriod(module=entry.module, period=period_of[entry.module])
        for entry in original.decisions.periods
    )
    changed = original.decisions.model_copy(update={"periods": periods, "claim": None})
    return Plan(original.instance, changed)


def _taken_over(result: PlanResult, period_of: Mapping[str, int | None]) -> PlanResult:
    if result.plan is None:
        return result
    draft = with_periods(result.plan, period_of)
    nothing = replace(
        result, status=Status.FEASIBLE, stop_reason=StopReason.NO_PROGRESS, bound=-math.inf, proof=PROOF
    )
    if draft.violations:
        reason = "; ".join(map(str, draft.violations[:5]))
        return replace(
            nothing,
            status=Status.UNKNOWN,
            plan=None,
            objective=math.inf,
            latency_s=math.inf,
            energy_j=math.inf,
            explanation=f"the plan breaks limits: {reason}",
        )
    claimed = draft.claiming(None, PROOF)
    assert claimed.decisions.claim is not None, "the plan claims its cost"
    return replace(
        nothing,
        plan=claimed,
        objective=claimed.decisions.claim.objective,
        latency_s=draft.prediction.latency_s,
        energy_j=draft.prediction.energy_j,
    )
