"""Whether bounds are bounds: random small instances, each planned in many ways and searched at random.

    python -m benchmarks.bounds                            40 instances
    python -m benchmarks.bounds --count 300                all, about ten minutes of processor time
    python -m benchmarks.bounds --first 17 --count 1       one of them

For each instance and each kind of resources (all decided; D2D links nominal; all nominal) the bound of the
optimised planner must not be above the objective of any plan of its scope: its own, those of the optimised
planner with fewer decisions, those of all other planners of the same period, those of a random search, and,
where resources are nominal and the choices few, the optimum by trying everything.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.bounding.brute_force import can_be_tried, optimum
from benchmarks.bounding.instances import Case, random_case
from benchmarks.bounding.plans import Scope, draft_of, random_draft, random_placements, search
from hfedfm_opt.planning.plan import PlanResult
from hfedfm_opt.planning.planner import plan, planners
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.system.instance import Limits

ROUNDING = 1e-9
"""Relative excess of a bound that counts as rounding."""
KINDS: dict[str, dict[str, Any]] = {
    "all decided": {},
    "D2D nominal": {"allocate_d2d": False},
    "all nominal": {"allocate": False},
}
"""Kinds of resources, each with fewer decisions than the one before."""
TIME_LIMIT_S = 2.0
"""Wall seconds of each plan."""
OF_ANOTHER_SCOPE = {
    "star": "devices send to the cloud themselves where they can",
    "consensus": "members approach the average only",
    "local-only": "nobody averages",
}
"""Planners whose plans are not of the scope of any bound, and why."""


@dataclass
class Outcome:
    """What was found about an instance; ``excess`` has each broken bound."""

    seed: int
    traits: tuple[str, ...]
    num_plans: int = 0
    bounds: int = 0
    infeasible: int = 0
    tried: int = 0
    met: int = 0
    gaps: dict[str, float] = field(default_factory=dict)
    excess: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)


def outcome_of(seed: int, trials: int, time_limit_s: float = TIME_LIMIT_S) -> Outcome:
    """Return what all plans of an instance say about its bounds.

    Parameters
    ----------
    seed : int
        Names the instance.
    trials : int
        Changes tried by each random search.
    time_limit_s : float
        Wall seconds of each plan.
    """
    generator = np.random.default_rng([8, seed])
    case = with_limits(random_case(seed), generator)
    outcome = Outcome(seed, case.traits)
    common = case.options | {"time_limit_s": time_limit_s, "gap": 1e-4}
    others = list(_other_plans(case, common))
    inner: list[tuple[str, float]] = []
    for name, changes in reversed(KINDS.items()):
        options = PlannerOptions(**common, **changes)
        period = None if case.period == "never" else int(case.period)
        scope = Scope(case.instance, period, options)
        result = plan(case.instance, f"optimised:{case.period}", options)
        inner.append((f"optimised, {name}", result.objective))
        searched = _searched(scope, result, trials, generator)
        found = [*inner, *others, *((f"random search, {name}", value) for value in searched)]
        if name == "all nominal" and can_be_tried(scope):
            least = optimum(scope)
            outcome.tried += 1
            outcome.met += math.isclose(result.objective, least, rel_tol=1e-9) or result.objective == least
            found.append(("brute force", least))
        _judge(outcome, name, result, found)
        inner += [entry for entry in found if entry not in inner and entry not in others]
    return outcome


def with_limits(case: Case, generator: np.random.Generator) -> Case:
    """Return a case with limits of a round, near what a plan without optimisation takes, or with none."""
    names = (f"{base}:{case.period}" for base in ("hierarchical", "arborescence"))
    free = min((plan(case.instance, name, **case.options) for name in names), key=lambda r: r.objective)
    if free.plan is None:
        return case
    spent = free.plan.prediction.node_energy_j
    most_j = max(spent.get(device, 0.0) for device in free.plan.network.devices)
    drawn: dict[str, Any] = {}
    for name, probability, value in (
        ("max_latency_s", 0.25, free.latency_s * float(generator.uniform(0.5, 1.3))),
        ("max_energy_j", 0.2, free.energy_j * float(generator.uniform(0.7, 1.3))),
        ("max_device_energy_j", 0.15, most_j * float(generator.uniform(0.9, 2.0))),
        ("max_relay_hops", 0.15, int(generator.integers(1, 3))),
    ):
        if generator.random() < probability and value > 0:
            drawn[name] = value
    instance = case.instance.model_copy(update={"limits": Limits(**drawn)})
    return replace(case, instance=instance, traits=(*case.traits, *drawn))


def _other_plans(case: Case, common: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what the plans of all other planners of the same period cost."""
    for entry in planners():
        base = entry.removesuffix(":E")
        if base in ("optimised", *OF_ANOTHER_SCOPE) or (entry == base and case.period != "never"):
            continue
        name = base if entry == base else f"{base}:{case.period}"
        for seed in (0, 1):
            yield name, plan(case.instance, name, PlannerOptions(**common, seed=seed)).objective


def _searched(scope: Scope, result: PlanResult, trials: int, generator: np.random.Generator) -> list[float]:
    """Return what the best plans of random searches cost: from the plan, and from random ones."""
    starts = [] if result.plan is None else [draft_of(result.plan)]
    for placed in random_placements(scope, 3, generator):
        drawn = random_draft(scope, placed, generator)
        if drawn is not None:
            starts.append(drawn)
    best = [search(scope, start, trials, generator) for start in starts]
    return [found.objective for found in best if found is not None]


def _judge(outcome: Outcome, kind: str, result: PlanResult, found: list[tuple[str, float]]) -> None:
    """Compare a bound with the plans of its scope."""
    there = [(name, value) for name, value in found if math.isfinite(value)]
    outcome.num_plans += len(there)
    outcome.bounds += math.isfinite(result.bound)
    outcome.infeasible += result.bound == math.inf
    if result.plan is not None and math.isfinite(result.bound):
        outcome.gaps[kind] = result.gap
    for name, value in there:
        if result.bound > value + ROUNDING * abs(value):
            outcome.excess.append(f"{kind}: bound {result.bound!r} > {value!r} of {name}")
    name, value = min(there, key=lambda entry: entry[1], default=("", math.inf))
    if value < result.objective * (1 - 1e-3):
        outcome.better.append(
            f"{kind}: {name} {value:.6g} < {result.objective:.6g} {result.explanation[:80]}"
        )


def show(outcomes: list[Outcome]) -> None:
    """Print what all instances say together."""
    print(f"{len(outcomes)} instances, {sum(one.num_plans for one in outcomes)} plans compared with bounds")
    print(
        f"{'resources':<12} {'with plan':>9} {'median gap':>10} {'90 %':>7} {'gap <= 1e-3':>11} {'broken':>7}"
    )
    for kind in KINDS:
        gaps = sorted(one.gaps[kind] for one in outcomes if kind in one.gaps)
        broken = sum(any(line.startswith(kind) for line in one.excess) for one in outcomes)
        middle, high = np.quantile(gaps, [0.5, 0.9]) if gaps else (math.nan, math.nan)
        small = sum(gap <= 1e-3 for gap in gaps)
        print(f"{kind:<12} {len(gaps):9d} {middle:10.2%} {high:7.1%} {small:11d} {broken:7d}")
    tried, met = sum(one.tried for one in outcomes), sum(one.met for one in outcomes)
    print(
        f"brute force: {tried} instances, {met} plans are the optimum; the bounds of all others are below it"
    )
    counts = Counter(trait for one in outcomes for trait in one.traits)
    print("traits: " + ", ".join(f"{trait} {count}" for trait, count in counts.most_common()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=0, help="seed of the first instance")
    parser.add_argument("--count", type=int, default=40, help="number of instances")
    parser.add_argument("--trials", type=int, default=30, help="changes of each random search")
    parser.add_argument("--verbose", action="store_true", help="a line of JSON for each instance")
    chosen = parser.parse_args()
    begun, outcomes = time.process_time(), []
    for seed in range(chosen.first, chosen.first + chosen.count):
        outcome = outcome_of(seed, chosen.trials)
        outcomes.append(outcome)
        for line in outcome.excess:
            print(f"instance {seed} ({', '.join(outcome.traits)}): {line}", flush=True)
        if chosen.verbose:
            print(json.dumps(asdict(outcome)), flush=True)
    show(outcomes)
    print(f"{time.process_time() - begun:.0f} s of processor time")


if __name__ == "__main__":
    main()
