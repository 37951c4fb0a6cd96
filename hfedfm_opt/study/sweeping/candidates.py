"""Candidates of a sweep: periods, transport precision and cloud momentum, with the plan of each."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from fl_runtime import Schedule
from fl_runtime.learning_key import learning_key
from hfedfm_opt.planning.module_periods import plan_each_with_periods
from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.system.instance import Instance

Period = int | None
_Value = TypeVar("_Value")
Bits = tuple[int, int]
"""Bits a parameter of updates, and of models on their way back."""


@dataclass(frozen=True)
class Candidate:
    """What a sweep may choose.

    Parameters
    ----------
    periods : tuple of (str, int or None)
        Period of each trainable module; ``None``: the cloud never averages it.
    bits : tuple of (str, (int, int))
        Bits a parameter of each trainable module, of updates and of models.
    momentum : float
        Of the cloud's averages, in [0, 1).
    """

    periods: tuple[tuple[str, Period], ...]
    bits: tuple[tuple[str, Bits], ...]
    momentum: float = 0.0

    @property
    def name(self) -> str:
        """A name that tells candidates of one instance apart, such as ``E = 2, 4 bits, momentum 0.6``."""
        parts = [
            _words(dict(self.periods), period_name, "E = {}"),
            _words(dict(self.bits), bits_name, "{} bits"),
        ]
        return ", ".join(parts + ([f"momentum {self.momentum:g}"] if self.momentum else []))


@dataclass(frozen=True)
class Planned:
    """A candidate with its plan.

    Parameters
    ----------
    candidate : Candidate
        What it is.
    plan : Plan
        Its checked plan.
    objective : float
        Weighted seconds and joules per round, at the instance's prices.
    schedule : Schedule
        The plan compiled for all rounds.
    learning : str
        Candidates with the same one learn the same from the same seed.
    """

    candidate: Candidate
    plan: Plan
    objective: float
    schedule: Schedule
    learning: str

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.candidate.name

    @property
    def latency_s(self) -> float:
        """Seconds per round, predicted."""
        return self.plan.prediction.latency_s

    @property
    def energy_j(self) -> float:
        """Joules per round, predicted."""
        return self.plan.prediction.energy_j

    def costs_no_more_than(self, other: "Planned") -> bool:
        """Return whether it takes at most the seconds and the joules of another."""
        return self.latency_s <= other.latency_s and self.energy_j <= other.energy_j


@dataclass(frozen=True)
class Skipped:
    """A candidate that was not trained, and why."""

    name: str
    reason: str


def uniform(instance: Instance, period: Period, bits: Bits, momentum: float = 0.0) -> Candidate:
    """Return the candidate with one period and one precision of all trainable modules."""
    names = trainable_modules(instance)
    return Candidate(tuple((name, period) for name in names), tuple((name, bits) for name in names), momentum)


def grid(
    instance: Instance, periods: Sequence[Period], bits: Sequence[Bits], momenta: Sequence[float]
) -> list[Candidate]:
    """Return all combinations of periods, precisions and momenta, each for all modules alike.

    Momentum does not go with a period of never, which has no cloud that averages.
    """
    return [
        uniform(instance, period, both, momentum)
        for period, both, momentum in itertools.product(periods, bits, momenta)
        if period is not None or not momentum
    ]


def trainable_modules(instance: Instance) -> list[str]:
    """Return the ids of the trainable modules, in the order of the instance."""
    return [module.id for module in instance.modules if module.trainable]


def plan_candidates(
    instance: Instance, planner: str, candidates: Iterable[Candidate], options: PlannerOptions, rounds: int
) -> tuple[list[Planned], list[Skipped]]:
    """Return the candidates with their plans, cheapest first, and those without a plan.

    Momentum costs nothing, so candidates that differ in it alone share a plan.  A candidate that learns the
    same as a cheaper one is skipped: no training can tell them apart.

    Parameters
    ----------
    instance : Instance
        What is given.
    planner : str
        Name of a planner that takes a period, without one.
    candidates : iterable of Candidate
        Each once.
    options : PlannerOptions
        How to plan; its precision and momentum are replaced.
    rounds : int
        Rounds of the schedules.
    """
    wanted = list(candidates)
    results = _results(instance, planner, [replace(one, momentum=0.0) for one in wanted], options)
    planned: list[Planned] = []
    skipped: list[Skipped] = []
    for candidate in wanted:
        result = results[replace(candidate, momentum=0.0)]
        if result.plan is None:
            skipped.append(Skipped(candidate.name, f"no plan: {result.explanation or result.stop_reason}"))
            continue
        planned.append(_planned(candidate, result, rounds))
    kept: list[Planned] = []
    for one in sorted(planned, key=lambda one: one.objective):
        same = (other for other in kept if other.learning == one.learning and other.costs_no_more_than(one))
        cheaper = next(same, None)
        if cheaper is None:
            kept.append(one)
        else:
            skipped.append(Skipped(one.name, f"learns the same as {cheaper.name}, which costs no more"))
    return kept, skipped


def _results(
    instance: Instance, planner: str, candidates: Iterable[Candidate], options: PlannerOptions
) -> dict[Candidate, PlanResult]:
    """Return the plan of each candidate, each made once."""
    still = list(dict.fromkeys(candidates))
    asked = [
        (dict(one.periods), replace(options, transport_bits=dict(one.bits), cloud_momentum=0.0))
        for one in still
    ]
    return dict(zip(still, plan_each_with_periods(instance, planner, asked), strict=True))


def within(planned: Planned, max_latency_s: float | None, max_energy_j: float | None) -> str:
    """Return which limit a plan breaks, in words; empty if none."""
    words = []
    if max_latency_s is not None and planned.latency_s > max_latency_s:
        words.append(f"takes {planned.latency_s:.4g} s per round, more than {max_latency_s:g} s")
    if max_energy_j is not None and planned.energy_j > max_energy_j:
        words.append(f"takes {planned.energy_j:.4g} J per round, more than {max_energy_j:g} J")
    return " and ".join(words)


def bits_name(bits: Bits) -> str:
    """Return a precision as names carry it: ``4``, or ``4/8`` up and down."""
    return f"{bits[0]}" if bits[0] == bits[1] else f"{bits[0]}/{bits[1]}"


def _planned(candidate: Candidate, result: PlanResult, rounds: int) -> Planned:
    assert result.plan is not None, "only candidates with a plan are kept"
    moved = result.plan.decisions.model_copy(update={"cloud_momentum": candidate.momentum})
    plan = Plan(result.plan.instance, moved)
    schedule = plan.compile(rounds)
    return Planned(candidate, plan, result.objective, schedule, learning_key(schedule))


def _words(of_module: Mapping[str, _Value], name: Callable[[_Value], str], pattern: str) -> str:
    """Return the value that most modules have in a pattern, and those of the others behind it."""
    values = list(of_module.values())
    common = max(values, key=values.count)
    rest = [f"{module} {name(value)}" for module, value in of_module.items() if value != common]
    return pattern.format(name(common)) + (f" ({', '.join(rest)})" if rest else "")
