"""The front door of planning: from an instance and a planner's name to a checked plan with a bound."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.association_rules import by_rule
from hfedfm_opt.planning.decide import decide
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.place import NoPlacement
from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.precision import precision_note, transport_of
from hfedfm_opt.planning.recipes import RECIPES, Recipe, period_name, recipe_of
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.planning.violations import PlanViolation, over
from hfedfm_opt.planning.workers import EngineName, hired
from hfedfm_opt.system.collector import collector_paused
from hfedfm_opt.system.decisions import Decisions, GapPart, precisions_of
from hfedfm_opt.system.instance import Instance, Objective
from hfedfm_opt.system.network import Network, resolve_network
from solvers.common import Status, StopReason, relative_gap

MANY_NODES = 1000
"""Nodes from which on planning makes so many objects that searching them for cycles takes long."""
NO_PART = 1e-12
"""Part of the objective below which a difference is rounding."""
PLAN_PROOF = "what the checked plan costs beyond what the search counted"


def planners() -> dict[str, str]:
    """Return the names of all planners with what each does; ``:E`` marks those that take a period."""
    return {f"{name}:E" if recipe.takes_period else name: recipe.summary for name, recipe in RECIPES.items()}


def plan(
    instance: Instance, planner: str = "optimised", options: PlannerOptions | None = None, **changes: object
) -> PlanResult:
    """Return a checked plan for an instance.

    Parameters
    ----------
    instance : Instance
        What is given.
    planner : str
        Name of a planner, see :func:`planners`.
    options : PlannerOptions or None
        How to plan.
    **changes
        Fields of :class:`PlannerOptions`, in place of ``options``.

    Returns
    -------
    PlanResult
        With ``plan`` ``None`` where no plan meets the limits; ``explanation`` then says which to relax.

    Raises
    ------
    UnknownPlanner
        For a name that no planner has.
    UnknownPrecision
        For transport bits that there are not, or of a module that is not trainable.
    """
    settings = options if options is not None else PlannerOptions(**changes)  # type: ignore[arg-type]
    priced = priced_instance(instance, settings)
    recipe = recipe_of(planner, instance.training.period)
    if recipe.arrangement == "optimised" and ":" not in planner and settings.periods:
        names = [f"{planner}:{period_name(period)}" for period in settings.periods]
        results = plan_each([(instance, name, settings) for name in names], settings.jobs, settings.engine)
        return min(results, key=lambda result: result.objective)
    with collector_paused() if len(priced.nodes) >= MANY_NODES else nullcontext():
        return _plan(priced, planner, recipe, settings)


def _plan(priced: Instance, planner: str, recipe: Recipe, settings: PlannerOptions) -> PlanResult:
    started = time.monotonic()
    transport = transport_of(priced, settings.transport_bits)
    network = resolve_network(priced, settings.duplex, precisions_of(transport))
    network = by_rule(network, settings.association)
    try:
        with hired(settings.jobs, settings.engine) as workers:
            placed, arrangement = decide(network, recipe, settings, workers)
    except (NoPlacement, MissingLink) as error:
        return _without_plan(planner, error, time.monotonic() - started)
    decisions = assemble(
        network, planner, recipe.period, placed, arrangement, transport, settings.cloud_momentum
    )
    arrangement = replace(arrangement, proof=arrangement.proof + precision_note(transport))
    return checked_result(network, decisions, arrangement, settings, time.monotonic() - started)


Job = tuple[Instance, str, PlannerOptions]
"""What :func:`plan` takes."""


def plan_each(asked: Sequence[Job], jobs: int | None, engine: EngineName) -> list[PlanResult]:
    """Return the plan of each instance, planner and options, in their order.

    Parameters
    ----------
    asked : sequence of (Instance, str, PlannerOptions)
        What :func:`plan` takes.
    jobs, engine
        Who plans: where there is more to plan than workers, each plans by itself; else all help with each.
    """
    with hired(jobs, engine) as workers:
        if len(asked) > 1 and workers.jobs > 1 and len(asked) >= workers.jobs:
            alone = [(one, name, replace(given, jobs=1, engine="processes")) for one, name, given in asked]
            found = workers.map(_planned, alone)
            return [_with_instance(result, *job) for result, job in zip(found, alone, strict=True)]
    return [plan(*job) for job in asked]


def _planned(job: Job) -> tuple[PlanResult, Decisions | None]:
    """Return the result of a plan without its instance, and its decisions: what is worth sending back."""
    result = plan(*job)
    return replace(result, plan=None), None if result.plan is None else result.plan.decisions


def _with_instance(
    found: tuple[PlanResult, Decisions | None], instance: Instance, planner: str, settings: PlannerOptions
) -> PlanResult:
    result, decisions = found
    if decisions is None:
        return result
    return replace(result, plan=Plan(priced_instance(instance, settings), decisions))


def priced_instance(instance: Instance, settings: PlannerOptions) -> Instance:
    """Return the instance with the prices of the settings in place of its own."""
    names = ("energy_weight_per_j", "time_weight_per_s", "fairness_weight_per_j")
    asked = {name: getattr(settings, name) for name in names if getattr(settings, name) is not None}
    if not asked:
        return instance
    objective = Objective(**{**instance.objective.model_dump(), **asked})
    return instance.model_copy(update={"objective": objective})


def checked_result(
    network: Network,
    decisions: Decisions,
    arrangement: Arrangement,
    settings: PlannerOptions,
    seconds: float,
) -> PlanResult:
    """Return what is said of decisions: the plan with its claim if it keeps all limits, or why there is none.

    Parameters
    ----------
    network : Network
        What the decisions are for, with the prices, duplex and precisions in force.
    decisions : Decisions
        Without a claim.
    arrangement : Arrangement
        What is proven.
    settings : PlannerOptions
        How it was planned.
    seconds : float
        Wall seconds spent.
    """
    draft = Plan(network.instance, decisions, network)
    violations = draft.violations or tuple(_asked_too_much(draft, settings))
    if violations:
        reason = "; ".join(str(violation) for violation in violations[:5])
        more = len(violations) - 5
        return PlanResult(
            planner=decisions.planner,
            status=Status.UNKNOWN,
            stop_reason=StopReason.NO_PROGRESS,
            plan=None,
            objective=math.inf,
            bound=arrangement.bound,
            proof=arrangement.proof,
            latency_s=math.inf,
            energy_j=math.inf,
            seconds=seconds,
            explanation=f"the plan breaks limits: {reason}" + (f"; and {more} more" if more > 0 else ""),
        )
    prediction = draft.prediction
    bound = arrangement.bound if math.isfinite(arrangement.bound) else None
    parts = _all_parts(draft, arrangement) if bound is not None else ()
    claimed = draft.claiming(bound, arrangement.proof, parts)
    assert claimed.decisions.claim is not None, "the plan claims its cost"
    objective = claimed.decisions.claim.objective
    optimal = relative_gap(objective, arrangement.bound) <= settings.gap
    stop = StopReason.TIME_LIMIT if arrangement.timed_out else StopReason.NO_PROGRESS
    return PlanResult(
        planner=decisions.planner,
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        stop_reason=StopReason.GAP_REACHED if optimal else stop,
        plan=claimed,
        objective=objective,
        bound=arrangement.bound,
        proof=arrangement.proof,
        latency_s=prediction.latency_s,
        energy_j=prediction.energy_j,
        seconds=seconds,
        gap_parts=parts,
    )


def _asked_too_much(draft: Plan, settings: PlannerOptions) -> Iterator[PlanViolation]:
    """Yield which limits that were asked for besides the instance's a sound plan breaks."""
    cost = draft.prediction
    for name, value, limit, unit in (
        ("latency of a round", cost.latency_s, settings.max_latency_s, "s"),
        ("energy of a round", cost.energy_j, settings.max_energy_j, "J"),
    ):
        if limit is not None:
            yield from over("plan", name, value, limit, unit)
    if settings.max_device_energy_j is not None:
        device, spent = draft.largest_device_energy
        what = "energy of a round"
        yield from over(f"device {device!r}", what, spent, settings.max_device_energy_j, "J")


def _all_parts(draft: Plan, arrangement: Arrangement) -> tuple[GapPart, ...]:
    """Return the parts of the gap, with what the plan costs beyond what the search counted."""
    parts = arrangement.gap_parts
    objective = draft.objective
    rest = objective - arrangement.bound - sum(part.amount for part in parts)
    if not parts or abs(rest) <= NO_PART * objective:
        return parts
    return (*parts, GapPart(part="plan", amount=rest, proof=PLAN_PROOF))


def _without_plan(planner: str, error: NoPlacement | MissingLink, seconds: float) -> PlanResult:
    proven = isinstance(error, MissingLink) or error.stop_reason is StopReason.PROVEN_INFEASIBLE
    return PlanResult(
        planner=planner,
        status=Status.INFEASIBLE if proven else Status.UNKNOWN,
        stop_reason=StopReason.PROVEN_INFEASIBLE if isinstance(error, MissingLink) else error.stop_reason,
        plan=None,
        objective=math.inf,
        bound=math.inf if proven else -math.inf,
        proof="",
        latency_s=math.inf,
        energy_j=math.inf,
        seconds=seconds,
        explanation=str(error),
    )
