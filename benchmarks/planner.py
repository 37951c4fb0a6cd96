"""How good plans are: objective, bound and gap beside the best baseline, and what each decision is worth.

    python -m benchmarks.planner                     some minutes of processor time
    python -m benchmarks.planner --time-limit 10     seconds of each plan, default 60
    python -m benchmarks.planner --only paper-40-2   names as in instances/index.json
    python -m benchmarks.planner --no-ablation

Baselines are all planners of the same period; ``consensus``, which averages only approximately, and
``local-only``, which does not average, are left out.  Base stations and users of a real city are planned if
their lists lie beside the project.
"""

import argparse
import math
import time
from collections.abc import Iterator

from benchmarks.best_known import WANTED, Wanted, made
from hfedfm_opt.planning.plan import PlanResult
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.recipes import RECIPES
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.ablation import ablate
from hfedfm_opt.study.ablation_table import ablation_markdown
from hfedfm_opt.system.instance import Instance

ABLATED = ("paper-40-2", "campus-2")
NOT_COMPARED = ("optimised", "consensus", "local-only")


def baselines_of(period: str) -> Iterator[str]:
    """Yield the names of all planners of a period that make exact averages, but the optimised one."""
    for name, recipe in RECIPES.items():
        if name in NOT_COMPARED:
            continue
        if recipe.takes_period:
            yield f"{name}:{period}"
        elif (period == "never" and not recipe.reaches_cloud) or (period == "1" and recipe.reaches_cloud):
            yield name


def best_baseline(instance: Instance, period: str, limit_s: float) -> tuple[PlanResult, float]:
    """Return the cheapest baseline, and the seconds of processor time that all of them took."""
    begun = time.process_time()
    results = [plan(instance, name, PlannerOptions(time_limit_s=limit_s)) for name in baselines_of(period)]
    return min(results, key=lambda result: result.objective), time.process_time() - begun


def show(wanted: Wanted, limit_s: float) -> None:
    """Print a line: the optimised plan, its bound and gap, and the best baseline."""
    instance = made(wanted.made_by)
    if instance is None:
        print(f"{wanted.name:<24} left out: the lists that it is made of are absent")
        return
    begun = time.process_time()
    result = plan(instance, wanted.planner, PlannerOptions(**{**wanted.options, "time_limit_s": limit_s}))
    spent_s = time.process_time() - begun
    base, base_s = best_baseline(instance, wanted.planner.partition(":")[2], limit_s)
    ratio = result.objective / base.objective if math.isfinite(base.objective) else math.nan
    print(
        f"{wanted.name:<24} {result.objective:11.6g} {result.bound:11.6g} {result.gap:9.2e} {spent_s:7.1f} "
        f"{base.objective:11.6g} {base_s:7.1f} {ratio:6.3f} {base.planner}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time-limit", type=float, default=60.0, help="wall seconds of each plan")
    parser.add_argument("--only", nargs="*", default=[], help="names of entries")
    parser.add_argument("--no-ablation", action="store_true")
    asked = parser.parse_args()
    chosen = [one for one in WANTED if not asked.only or one.name in asked.only]
    print(
        f"{'instance and period':<24} {'optimised':>11} {'bound':>11} {'gap':>9} {'cpu s':>7} "
        f"{'baseline':>11} {'cpu s':>7} {'ratio':>6} best baseline"
    )
    for wanted in chosen:
        show(wanted, asked.time_limit)
    for wanted in chosen if not asked.no_ablation else ():
        if wanted.name not in ABLATED:
            continue
        instance = made(wanted.made_by)
        assert instance is not None, "shipped instances are there"
        options = PlannerOptions(time_limit_s=asked.time_limit / 2)
        begun = time.process_time()
        found = ablate(instance, period=2, options=options)
        print(f"\n{ablation_markdown(found)}\n{time.process_time() - begun:.1f} s of processor time")


if __name__ == "__main__":
    main()
