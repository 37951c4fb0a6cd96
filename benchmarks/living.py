"""What drop-out, lost transfers and deadlines cost: ``python benchmarks/living.py``.

The published network of 40 devices, E = 2, with 32 and 4 bits, beside the still network of the same seed:
accuracy, time and energy a round, mean and standard deviation over seeds.
"""

import argparse
from dataclasses import replace

import numpy as np

from fl_runtime import DropOut, LivingNetwork, Losses, Policy, Schedule, run
from hfedfm_opt import plan, read_instance

FAULTS = LivingNetwork(drop_out=DropOut(share=0.3), losses=Losses(probability=0.1))
FEW_ATTEMPTS = replace(FAULTS, losses=Losses(probability=0.1, max_attempts=1))


def with_policy(schedule: Schedule, policy: Policy) -> Schedule:
    return replace(schedule, kinds=tuple(replace(kind, policy=policy) for kind in schedule.kinds))


def cases(schedule: Schedule) -> dict[str, Schedule]:
    lively = replace(schedule, living=FAULTS)
    return {
        "still": schedule,
        "30 % away": replace(schedule, living=replace(FAULTS, losses=None)),
        "30 % away, 10 % lost": lively,
        "the same, averages of 70 %": with_policy(lively, Policy(share=0.7, merge_share=0.7)),
        "one attempt each": replace(
            lively, living=replace(FAULTS, losses=Losses(probability=0.1, max_attempts=1))
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instance", default="instances/paper-40.json")
    parser.add_argument("--planner", default="hierarchical:2")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    instance = read_instance(options.instance)
    for bits in (32, 4):
        planned = plan(instance, options.planner, transport_bits=bits).plan.compile(rounds=options.rounds)
        still: np.ndarray | None = None
        for name, schedule in cases(planned).items():
            found = []
            for seed in range(options.seeds):
                measured = run(schedule, seed=seed)
                summary = measured.summary()
                assert all(np.isfinite(rows).all() for rows in measured.learning.state.values())
                percent = [100 * summary["accuracy"], 100 * summary["accuracy_late"]]
                found.append([*percent, measured.latency_s, measured.energy_j, summary["total_bits"] / 1e6])
            values = np.array(found)
            still = values if still is None else still
            print(
                f"{bits} bits, {name}: {_said(values)}; late, paired: {_paired(values - still)}", flush=True
            )


def _said(values: np.ndarray) -> str:
    mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
    names = ("% at sync", "% late", "s a round", "J a round", "Mbit in all")
    return ", ".join(f"{m:.2f} ± {d:.2f} {name}" for m, d, name in zip(mean, deviation, names, strict=True))


def _paired(differences: np.ndarray) -> str:
    late = differences[:, 1]
    return f"{late.mean():+.2f} ± {late.std(ddof=1):.2f} points"


if __name__ == "__main__":
    main()
