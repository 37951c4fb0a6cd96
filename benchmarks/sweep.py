"""Measures what a sweep finds on the published network: cheapest at a floor, and most accurate in a budget.

Run it with ``python benchmarks/sweep.py [--full] [--folder DIR] [--time-limit S]``.  Latency and energy are
in the physical accounting; differences of accuracy are paired by seed with E = 2 at 32 bits, by the optimised
planner.  The limits of --full are an eighth of what the published scheme of random aggregators takes at
E = 2 (8.86 s, 67.57 J).  Runs are kept in the folder and used again: one that was stopped is called again.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from fl_runtime.learning_key import learning_key
from hfedfm_opt import plan, read_instance
from hfedfm_opt.study.sweeping.candidates import uniform
from hfedfm_opt.study.sweeping.files import write_sweep
from hfedfm_opt.study.sweeping.runs import Runs
from hfedfm_opt.study.sweeping.settings import Floor, SweepOptions
from hfedfm_opt.study.sweeping.sweep import sweep
from hfedfm_opt.study.sweeping.tables import facts_of, tables_of_sweep
from hfedfm_opt.study.table import terminal_table

INSTANCE = Path(__file__).parents[1] / "instances" / "paper-40.json"
PUBLISHED_S, PUBLISHED_J = 8.86, 67.57
SHARE = 8
SEEDS = (0, 1, 2)
REFERENCE = "E = 2, 32 bits"


def small_options(instance):
    return SweepOptions(periods=(1, 2), bits=((2, 2),), momenta=(0.6,), rounds=6, seeds=(0, 1))


def full_options(instance):
    return SweepOptions(
        periods=(1, 2, 3, 4),
        bits=((4, 4), (2, 2)),
        momenta=(0.6,),
        more=[
            uniform(instance, 2, (4, 4)),
            uniform(instance, 1, (2, 2), 0.8),
            uniform(instance, 2, (2, 2), 0.8),
            uniform(instance, 1, (1, 8), 0.6),
        ],
        measure_modules=True,
        max_latency_s=PUBLISHED_S / SHARE,
        max_energy_j=PUBLISHED_J / SHARE,
        seeds=SEEDS,
    )


def show(title, found):
    from rich.console import Console

    console = Console(width=150, highlight=False)
    console.print(f"\n== {title}")
    for table in tables_of_sweep(found):
        console.print(terminal_table(table, console.width))
    for name, words in facts_of(found):
        if words:
            console.print(f"{name:10} {words}")
    for one in found.skipped:
        console.print(f"  left out: {one.name}: {one.reason}")
    console.print(f"{'seconds':10} {found.seconds:.0f}")


def show_choice(found):
    chosen = found.chosen_row
    if chosen is None:
        return
    shares = PUBLISHED_S / chosen.latency_s, PUBLISHED_J / chosen.energy_j
    print(f"chosen: {chosen.name}: {chosen.latency_s:.3f} s and {chosen.energy_j:.2f} J a round,")
    print(f"  1/{shares[0]:.1f} and 1/{shares[1]:.1f} of the published {PUBLISHED_S} s and {PUBLISHED_J} J")
    compare(runs_of(found, chosen.name), runs_of(found, REFERENCE))


def compare(own, other):
    for metric in ("sync", "late"):
        values = [[run.percent(metric) for run in runs] for runs in (own, other)]
        difference = np.subtract(*values)
        means = [np.mean(of_one) for of_one in values]
        print(
            f"  {metric}: {means[0]:.2f} % against {means[1]:.2f} %: "
            f"{difference.mean():+.2f} ± {difference.std(ddof=1):.2f}, worst seed {difference.min():+.2f}"
        )


def runs_of(found, name):
    known = {run.key: run for run in found.runs}
    return [known[learning_key(found.planned[name].schedule, seed)] for seed in SEEDS]


def show_star(found, instance, folder):
    star = plan(instance, "star")
    print(f"beside star at 32 bits, {star.latency_s:.1f} s and {star.energy_j:.1f} J a round:")
    schedule, runs = star.plan.compile(instance.training.rounds), Runs(folder)
    compare(runs_of(found, found.chosen), [runs.train(schedule, seed, "star, 32 bits") for seed in SEEDS])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="24 rounds, 3 seeds, floor and budget")
    parser.add_argument("--folder", type=Path, help="where runs are kept")
    parser.add_argument("--time-limit", type=float, help="seconds after which no run is begun, of each sweep")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    instance = read_instance(INSTANCE)
    options = (full_options if arguments.full else small_options)(instance)
    options = replace(options, time_limit_s=arguments.time_limit)
    before = time.process_time()
    found = sweep(instance, options, folder=arguments.folder)
    show("most accurate in the budget" if arguments.full else "a small race", found)
    if not arguments.full:
        return
    show_choice(found)
    if found.chosen is not None:
        show_star(found, instance, arguments.folder)
    floor = Floor(percent=-0.5, to_reference=True)
    cheapest = sweep(instance, replace(options, floor=floor), folder=arguments.folder)
    show("cheapest within 0.5 point of E = 2 at 32 bits", cheapest)
    show_choice(cheapest)
    if arguments.folder is not None:
        write_sweep(found, arguments.folder / "budget", "python benchmarks/sweep.py --full")
        write_sweep(cheapest, arguments.folder / "floor", "python benchmarks/sweep.py --full")
    print(f"processor seconds: {time.process_time() - before:.0f}")


if __name__ == "__main__":
    main()
