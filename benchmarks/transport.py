"""Measures what transport precision and server optimisers do to accuracy and traffic.

Run it with ``python benchmarks/transport.py [--seeds K] [--planner NAME] [--only ROW]``.  It runs plans
for the published network of 40 devices, and prints bits per round over all legs and accuracy, each beside
E = 2 with 32 bits: differences are paired by seed.
"""

import argparse
from pathlib import Path

import numpy as np

from fl_runtime import Adam, Momentum, Schedule, play, with_server_optimiser
from fl_runtime.learn import learn
from hfedfm_opt import plan, read_instance

INSTANCE = Path(__file__).parents[1] / "instances" / "paper-40.json"
BITS_BY_PERIOD = {2: (32, 16, 8, 4, 3, 2, 1), 1: (32, 4, 2, 1)}
SERVER_OPTIMISERS = {"momentum 0.6": Momentum(momentum=0.6), "Adam 0.02": Adam(rate=0.02)}


def variants(planner: str) -> dict[str, Schedule]:
    """Return the schedules to compare; the first is the one that the others are compared with."""
    instance = read_instance(INSTANCE)
    found = {}
    for period, precisions in BITS_BY_PERIOD.items():
        for bits in precisions:
            result = plan(instance, f"{planner}:{period}", transport_bits=bits)
            found[f"E = {period}, {bits} bits"] = result.plan.compile()
    for name, optimiser in SERVER_OPTIMISERS.items():
        for bits in (32, 4):
            schedule = found[f"E = 2, {bits} bits"]
            found[f"E = 2, {bits} bits, {name}"] = with_server_optimiser(schedule, optimiser, ["cloud"])
    return found


def accuracies(schedule: Schedule, seeds: range) -> np.ndarray:
    """Return accuracy at the last cloud round and over the last third, in %, (seeds, 2)."""
    curves = [learn(schedule, seed=seed) for seed in seeds]
    metrics = [(curve.at_last_sync, curve.late_average) for curve in curves]
    return np.array([[100 * np.mean(list(metric.values())) for metric in pair] for pair in metrics])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--planner", default="hierarchical")
    parser.add_argument("--only", action="append", help="a row by name, such as 'E = 2, 4 bits'; repeatable")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    print(f"{arguments.planner}, seeds {list(seeds)}; differences are paired, mean and standard deviation")
    print(f"{'':32} {'Mbit/round':>10} {'traffic':>8} {'sync %':>7} {'diff':>14} {'late %':>7} {'diff':>14}")
    reference = None
    for name, schedule in variants(arguments.planner).items():
        if reference is not None and arguments.only and name not in arguments.only:
            continue
        timeline = play(schedule)
        bits = timeline.bits.sum() / timeline.num_rounds
        found = accuracies(schedule, seeds)
        reference = (bits, found) if reference is None else reference
        cells = []
        for metric in range(2):
            difference = found[:, metric] - reference[1][:, metric]
            spread = np.std(difference, ddof=1) if len(difference) > 1 else 0.0
            cells.append(f"{found[:, metric].mean():7.2f} {difference.mean():+7.2f} ± {spread:4.2f}")
        share = 100 * bits / reference[0]
        print(f"{name:32} {bits / 1e6:10.2f} {share:7.2f}% {cells[0]} {cells[1]}", flush=True)


if __name__ == "__main__":
    main()
